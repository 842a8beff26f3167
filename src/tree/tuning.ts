/*
 * Every number that tunes the tree, in one place, with its reason. None of them is part of a format: they may change with
 * any version.
 */

const KIB = 1024
const MIB = 1024 * KIB
const GIB = 1024 * MIB

// --- Manifest

/** Reading a manifest of this size back takes some 10 ms, and at 250 bytes an edit it lasts for thousands of compactions. */
export const MANIFEST_ROLLOVER_BYTES = MIB
/** A manifest whose state alone is large is not rewritten before it has doubled: writing it costs what was gained. */
export const MANIFEST_ROLLOVER_RATIO = 2
/** One fsync per so many positions, in a session that has used as many: at 1 GB/s one in sixteen seconds. */
export const MOST_LEASED_POSITIONS = 16 * GIB
/** What a new store is given before it asks: a segment of any usual size. */
export const FIRST_LEASED_POSITIONS = 64 * MIB
/** A session uses a file number per 16 MiB written and compacted. What it has not used is lost with an unclean end. */
export const FEWEST_LEASED_FILES = 200
export const MOST_LEASED_FILES = 10_000
/** The lease is renewed with the next edit once fewer are left: as many as a compaction may make between two edits. */
export const FEWEST_RESERVED_FILES = 100
export const MOST_RESERVED_FILES = 4_000

/** A reader starts over when the writer beside it has removed what it was about to open. */
export const READ_ONLY_ATTEMPTS = 100

// --- Tables

/** Deeper tables: small enough that a pick is a slice of the level, large enough that 1 TB has 60,000 of them. */
export const TABLE_BYTES = 16 * MIB
/** An output is cut before the compaction that will one day push it down has to rewrite more than this below it. */
export const GRANDPARENT_OVERLAP_BYTES = 10 * TABLE_BYTES

/** A larger table stays where it is until it is merged into pieces: deeper down it would be rewritten as a whole each time. */
export const LARGEST_MOVED_BYTES = 4 * TABLE_BYTES

// --- Leveled

/** Each run of level 0 is one more table that a lookup may have to ask; four keep reads short and merges worth while. */
export const LEVEL0_RUNS = 4
export const LEVEL_MULTIPLIER = 10
/** The first level below level 0. Eight memtables: merging level 0 into it rewrites it often, so it must not be large. */
export const BASE_LEVEL_BYTES = 256 * MIB
/** What stands above the last level is what may hide garbage in it: a tenth keeps a quiet store below 1.15 times its data. */
export const QUIET_UPPER_SHARE = 0.1
/** A store counts as quiet when so long nothing was flushed. */
export const QUIET_AFTER_MS = 2_000
/** From this share of deletions on a table is worth compacting for the space and the scans it spoils. */
export const DENSE_DELETION_SHARE = 0.5
/** From this share of expired entries on a table is rewritten to drop them. */
export const EXPIRED_SHARE = 0.5
/** From this share of entries that only pins kept, once the pins are gone. */
export const RELEASED_SHARE = 0.1

// --- Minor compaction

/** So many adjacent small runs of level 0 merge into one: reopening often or flushing early must not pile up tables. */
export const MINOR_RUNS = 4
/** … unless merging them into the level below rewrites no more than so many times their size. */
export const MINOR_BELOW_RATIO = 4
/** Small beside a memtable of 32 MiB. */
export const MINOR_RUN_BYTES = 4 * MIB

// --- Tiered

/** Runs of about one size that merge into one: each byte is rewritten once per size class. */
export const TIER_RUNS = 4
/** Runs are of about one size while the next is not larger than all before it together, times this. */
export const TIER_SIZE_RATIO = 1.5
/** Above this share of upper runs, compared to the last level, everything is merged. */
export const TIER_SPACE_SHARE = 1

// --- Pressure: the debt that slows writers, from 0 over 1 (slow down) to 2 (stop)

/**
 * A merge of level 0 rewrites the level below whole, so the more runs go with it the less each of them costs. Slowing from 16
 * runs on instead of 8 makes a load that never pauses half as fast again, 20 M keys 1.3 times; a get meanwhile takes as long as
 * before, a key that is not there 6.9 us instead of 5.2, a short scan 97 instead of 70.
 */
export const SLOW_RUNS = 16
export const STOP_RUNS = 32
/** Bytes that compactions would have to rewrite for all levels to be within their targets. */
export const SLOW_PENDING_BYTES = 2 * GIB
export const STOP_PENDING_BYTES = 32 * GIB

// --- Jobs

/** What the index partitions of a compaction's inputs may take; its data blocks are never kept. */
export const COMPACTION_CACHE_BYTES = 8 * MIB
/** A merge reads one table of each run at a time: of level 0, and of the levels around it. */
export const COMPACTION_OPEN_FILES = STOP_RUNS + 2
/** Entries between two looks at what else is to do: 2 to 4 ms of work. */
export const SLICE_ENTRIES = 4096
/** Between attempts of a job that failed, doubled up to the longest. */
export const SHORTEST_BACKOFF_MS = 100
export const LONGEST_BACKOFF_MS = 10_000
/** A worker starts in 23 ms. A thread that stands still for one that does not flushes itself after so long … */
export const LATE_START_MS = 500
/** … and one that goes on meanwhile takes it for failed after so long. */
export const LONGEST_START_MS = 20_000
/** After so many workers in a row that died of what they did it is taken for the machine's fault, not the job's. */
export const MOST_DEATHS = 3
/** After a worker that did not start so many jobs run on the store's own thread before it is tried again, doubled up to the most. */
export const JOBS_WITHOUT_WORKER = 4
export const MOST_JOBS_WITHOUT_WORKER = 256
/** A third of the time that the store's own thread gets where both want the same processor, and all that nobody else wants. */
export const WORKER_NICENESS = 5
/** Reports of past jobs that `stats` shows. */
export const JOB_HISTORY = 32
