/*
 * What Siltstone wants to reach, on the machine with two cores and with a million keys. Against a peer a target is a ratio of
 * medians, ours to theirs; without a peer it is our own median.
 */

export interface Target {
  readonly scenario: string
  readonly workload: string
  readonly peer?: string
  readonly atLeast?: number
  readonly atMost?: number
}

const LEVEL = 'classic-level'
const LMDB = 'lmdb'
const ROCKS = 'rocksdb'

/** By how much we want to be faster: classic-level, lmdb, RocksDB; 0 where nothing is said. */
function faster(scenario: string, workload: string, level: number, lmdb = 0, rocks = 0): Target[] {
  const ratios: [string, number][] = [
    [LEVEL, level],
    [LMDB, lmdb],
    [ROCKS, rocks],
  ]
  return ratios.filter(([, ratio]) => ratio > 0).map(([peer, atLeast]) => ({ scenario, workload, peer, atLeast }))
}

export const LONG_LOAD = 'random load'

/** Keys grow by 100 from the smallest store to the largest; a cost that follows the logarithm grows by log(10 M) / log(100 k). */
export const MOST_GROWTH = Math.log(10e6) / Math.log(100e3)

export const targets: readonly Target[] = [
  ...faster('at random', 'fillrandom, one by one', 0, 2, 1.5),
  ...faster('loaded', 'fillbatch of 1000', 2.5, 5),
  ...faster('loaded', 'readrandom, sync, compacted', 2.5, 1.2, 2),
  ...faster('loaded', 'readrandom, awaited, compacted', 10),
  ...faster('loaded', 'readmissing, sync', 4, 1.5, 1.5),
  ...faster('loaded', 'getMany of 100', 2.5),
  ...faster('loaded', 'readseq, sync', 5, 1.5, 1),
  ...faster('loaded', 'readseq, for await', 2.5),
  ...faster('loaded', 'readreverse, sync', 5, 1.2),
  ...faster('loaded', 'seekrandom + 10, sync', 10, 2, 1.5),
  ...faster('loaded', 'seekrandom + 10, awaited', 5),
  ...faster('loaded', 'put, awaited', 10),
  ...faster('loaded', 'put, 64 in flight', 8, 1.5),
  { scenario: 'loaded', workload: 'open', peer: LEVEL, atMost: 1 },
  { scenario: 'loaded', workload: 'fillbatch of 1000: disk when settled', peer: LEVEL, atMost: 1.1 },
  ...faster('synced', 'fillsync, one by one', 1, 1),
  ...faster('synced', 'fillsync, 64 in flight', 8, 1),
  ...['A', 'B', 'C', 'F', 'D', 'E'].flatMap((letter) => faster('ycsb', `YCSB ${letter}`, 3, 1.5)),
  ...faster('long load', LONG_LOAD, 1.5, 5, 1),
  { scenario: 'long load', workload: `${LONG_LOAD}: put under load p99`, atMost: 1 },
  { scenario: 'long load', workload: `${LONG_LOAD}: put under load p99.9`, peer: LEVEL, atMost: 1 },
  { scenario: 'long load', workload: `${LONG_LOAD}: event-loop delay p99`, atMost: 5 },
  { scenario: 'long load', workload: `${LONG_LOAD}: event-loop delay max`, atMost: 50 },
  { scenario: 'long load', workload: `${LONG_LOAD}: disk when settled`, peer: LEVEL, atMost: 1.1 },
  ...['get, random', 'seek + 10, random', 'put, random'].map((workload) => ({
    scenario: 'growth',
    workload: `${workload}: cost with 100 times the keys`,
    atMost: MOST_GROWTH,
  })),
]
