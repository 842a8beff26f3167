import type { FileSystem } from '../../src/fs/file-system.js'
import { openSharded, type ShardingOptions } from '../../src/shard.js'
import { storeConformance } from '../store/conformance/conformance.js'
import { temporaryDirectories } from '../store/temporary.js'

// Threads share only the disk: a directory stands for each of the suite's file systems.
const newDirectory = temporaryDirectories()
const directories = new WeakMap<FileSystem, string>()

function openInThreads(fs: FileSystem, sharding: ShardingOptions): Promise<unknown> {
  const path = directories.get(fs) ?? newDirectory()
  directories.set(fs, path)
  return openSharded(path, { ...sharding, threads: true, executor: 'inline' })
}

storeConformance({
  name: 'ring of two threads',
  hasClock: false,
  open: (fs) => openInThreads(fs, { shards: ['a', 'b'] }),
})
storeConformance({
  name: 'slots of two threads',
  hasClock: false,
  open: (fs) => openInThreads(fs, { shards: ['a', 'b'], placement: 'slots' }),
})
storeConformance({
  name: 'ranges of two threads',
  hasClock: false,
  open: (fs) => openInThreads(fs, { shards: ['a', 'b'], placement: 'range', splits: ['k3'] }),
})

storeConformance({
  name: 'ring of three',
  open: (fs, options) => openSharded('/store', { ...options, fs, shards: ['a', 'b', 'c'] }),
})
storeConformance({
  name: 'slots of three',
  open: (fs, options) => openSharded('/store', { ...options, fs, shards: ['a', 'b', 'c'], placement: 'slots' }),
})
storeConformance({
  name: 'ranges of three',
  open: (fs, options) =>
    openSharded('/store', { ...options, fs, shards: ['a', 'b', 'c'], placement: 'range', splits: ['k2', 'key-00100'] }),
})
storeConformance({
  name: 'a ring with a ring in it',
  open: (fs, options) =>
    openSharded('/store', { ...options, fs, shards: ['a', { name: 'b', sharded: { shards: ['x', 'y'] } }] }),
})
