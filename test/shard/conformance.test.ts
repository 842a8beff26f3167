import { openSharded } from '../../src/shard.js'
import { storeConformance } from '../store/conformance/conformance.js'

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
