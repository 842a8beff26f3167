import { getLarge, longLoad, putLarge, queueLike, scanOverTombstones } from './painful.js'
import {
  getMany,
  readHot,
  readMissing,
  readRandom,
  readRandomAgain,
  readRandomAwaited,
  readRandomFirst,
  readRandomInFlight,
  readWhileWriting,
} from './reads.js'
import { readReverse, readSequential, readSequentialAwaited, seekRandom, seekRandomAwaited } from './scans.js'
import { fillForSize, sizeGet, sizePut, sizeSeek } from './sizes.js'
import { compact, reopen } from './upkeep.js'
import type { Scenario } from './workload.js'
import {
  awaitedPut,
  deleteRandom,
  fillBatch,
  fillRandom,
  fillSequential,
  fillSync,
  fillSyncInFlight,
  overwrite,
  putInFlight,
} from './writes.js'
import { ycsb } from './ycsb.js'

const sizes = [sizeGet, sizeSeek, sizePut]

/** Everything that is measured, in the order of the table. Every scenario begins with an empty store. */
export const scenarios: readonly Scenario[] = [
  { name: 'in order', durability: 'written', workloads: [fillSequential] },
  { name: 'at random', durability: 'written', workloads: [fillRandom] },
  {
    name: 'loaded',
    durability: 'written',
    reportsMemory: true,
    workloads: [
      fillBatch,
      readRandomFirst,
      readRandomAgain,
      compact,
      readRandom,
      readRandomAwaited,
      readRandomInFlight,
      readMissing,
      readHot,
      getMany,
      readSequential,
      readSequentialAwaited,
      readReverse,
      seekRandom,
      seekRandomAwaited,
      readWhileWriting,
      overwrite,
      awaitedPut,
      putInFlight,
      reopen,
      deleteRandom,
    ],
  },
  { name: 'synced', durability: 'synced', workloads: [fillSync, fillSyncInFlight] },
  { name: 'ycsb', durability: 'written', workloads: [fillForSize, ...ycsb] },
  { name: 'queue', durability: 'written', workloads: [queueLike] },
  { name: 'tombstones', durability: 'written', workloads: [fillForSize, scanOverTombstones] },
  { name: 'large values', durability: 'written', workloads: [putLarge, getLarge] },
  { name: 'tenth size', durability: 'written', keysTimes: 0.1, onlyFull: true, workloads: [fillForSize, ...sizes] },
  { name: 'whole size', durability: 'written', onlyFull: true, workloads: [fillForSize, ...sizes] },
  {
    name: 'long load',
    durability: 'written',
    keysTimes: 10,
    once: true,
    reportsMemory: true,
    workloads: [longLoad, ...sizes],
  },
]
