# bundle/trace.def > the events of owlt-events(5): awk -f docs/man/events.awk bundle/trace.def
/^\/\* -- / { line = $0; sub(/^\/\* -- /, "", line); sub(/ ?\*\/$/, "", line); if (open) print ".El"; open = 0; printf ".Ss %s\n", line }
/^EV\(/ {
	line = $0; sub(/^EV\(/, "", line); sub(/\)$/, "", line); n = split(line, part, /, */)
	if (!open) { print ".Bl -tag -width custody_signal_tx -compact"; open = 1 }
	printf ".It %s\n", part[1]
	text = ""
	for (i = 2; i < n; i += 2) if (part[i] != "NONE") text = text (text ? ", " : "") part[i + 1]
	print text "."
}
END { if (open) print ".El" }
