import { ClassicLevel } from 'classic-level'
import { packageVersion } from './package.js'
import { CACHE_BYTES, type LibraryPeer, WRITE_BUFFER_BYTES } from './peer.js'

/** What one call of `nextv` brings: each of them is a round trip to the thread pool. */
const SLICE = 1000
const SLICE_BYTES = 1024 * 1024

/** LevelDB by way of its binding for Node. */
export const classicLevel: LibraryPeer = {
  name: 'classic-level',

  async describe() {
    return {
      version: packageVersion('classic-level'),
      settings: [
        'snappy',
        'cache 64 MiB',
        'write buffer 32 MiB',
        'bloom filters of 10 bits a key (built in)',
        'scans in slices of 1000 entries and up to 1 MiB',
        'written: sync false; synced: sync true',
      ],
    }
  },

  async open(directory, durability) {
    const db = new ClassicLevel<string, string>(directory, {
      cacheSize: CACHE_BYTES,
      writeBufferSize: WRITE_BUFFER_BYTES,
      compression: true,
    })
    await db.open()
    const options = { sync: durability === 'synced' }
    return {
      batch: (operations) => db.batch(operations as never, options),
      put: (key, value) => db.put(key, value, options),
      del: (key) => db.del(key, options),
      get: (key) => db.get(key),
      getSync: (key) => db.getSync(key),
      getMany: (keys) => db.getMany(keys),
      async scan(reverse) {
        const iterator = db.iterator({ reverse, highWaterMarkBytes: SLICE_BYTES })
        let count = 0
        for (;;) {
          const entries = await iterator.nextv(SLICE)
          if (entries.length === 0) break
          count += entries.length
        }
        await iterator.close()
        return count
      },
      async seek(key, count) {
        return (await db.iterator({ gte: key, limit: count }).all()).length
      },
      // Its bounds must be told; ours all begin with a digit.
      compact: () => db.compactRange('', '~'),
      close: () => db.close(),
    }
  },
}
