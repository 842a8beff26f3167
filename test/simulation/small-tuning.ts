/*
 * The constants of the tree at a hundredth of their size, so that a session of a few hundred writes meets everything that takes
 * a real store days: full levels, new manifests, leases that run out. For `vi.mock`, at the head of a test.
 */

const KIB = 1024

export const SMALL_TUNING = {
  MANIFEST_ROLLOVER_BYTES: 4 * KIB,
  MOST_LEASED_POSITIONS: 512 * KIB,
  FIRST_LEASED_POSITIONS: 64 * KIB,
  FEWEST_LEASED_FILES: 20,
  MOST_LEASED_FILES: 40,
  FEWEST_RESERVED_FILES: 10,
  MOST_RESERVED_FILES: 20,
  TABLE_BYTES: 24 * KIB,
  GRANDPARENT_OVERLAP_BYTES: 96 * KIB,
  LARGEST_MOVED_BYTES: 96 * KIB,
  BASE_LEVEL_BYTES: 64 * KIB,
  LEVEL_MULTIPLIER: 3,
  MINOR_RUN_BYTES: 8 * KIB,
}
