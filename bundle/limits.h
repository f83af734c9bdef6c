/*
 * limits: the format's own limits, in one place. RFC 9171 names none; these bound what one bundle can
 * make us keep or walk. Limits of a running node are configuration instead.
 */
#ifndef OWLT_BUNDLE_LIMITS_H
#define OWLT_BUNDLE_LIMITS_H

#define BUNDLE_BLOCKS_MAX 64   /* canonical blocks, payload included */
#define BUNDLE_HEAD_MAX 65536  /* bytes before the payload's data */
#define BUNDLE_TAIL_MAX 16     /* payload CRC, breaks */
#define EID_SSP_MAX 1023       /* bytes of text of a dtn SSP */
#define EID_TEXT_MAX 1100      /* an EID as text with its terminator */
#define CBOR_DEPTH_MAX 8       /* nesting that is skipped over */
#define CCS_SEQUENCES_MAX 64   /* sequences in one compressed signal */
#define CCS_RUNS_MAX 1024      /* runs in one sequence */
#define BIBE_RUNS_MAX 1024     /* runs of ids in one signal of an encapsulation */
#define ADMIN_RECORD_MAX 65536 /* bytes of an administrative record */
#define ASB_TARGETS_MAX 16     /* targets of one security block */
#define ASB_PARAMS_MAX 16      /* its parameters */
#define ASB_RESULTS_MAX 32     /* results of all its targets */
#define BPSEC_OPS_MAX 64       /* security operations in one bundle */
#define BPSEC_SCOPE_MAX 16     /* blocks that a COSE AAD scope names */
#define BPSEC_ROOM 8192        /* primary block in canonical form, COSE headers */
#define KEYS_MAX 1024          /* keys of one key ring */
#define KEY_ID_MAX 64          /* bytes of a key's id with its terminator */

#endif
