# columns.def > the tables of owlt-dataset(5): awk -f docs/man/columns.awk dtn/dataset/columns.def
BEGIN { source["RUN"] = "run"; source["PLAN"] = "plan"; source["BOTH"] = "capture or log"; source["LOG"] = "log"; source["CAPTURE"] = "capture" }
/^COL\(/ {
	line = $0; sub(/^COL\(/, "", line); sub(/\)$/, "", line)
	n = split(line, text, "\""); split(text[1], head, /, */)
	unit = text[2]; rule = text[4]; from = text[5]; gsub(/[, ]/, "", from)
	if (head[1] != table) { if (table) print ".El"; table = head[1]; printf ".Ss %s.csv\n.Bl -tag -width residual_lifetime_ms -compact\n", table }
	printf ".It %s\n%s%s, from %s%s.\n", head[2], tolower(head[3]), unit ? ", " unit : "", source[from], rule == "never" ? "" : "; empty: " rule
}
END { print ".El" }
