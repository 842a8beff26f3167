import { readFileSync } from 'node:fs'
import { open } from '../../src/index.js'
import { CACHE_BYTES, type LibraryPeer, WRITE_BUFFER_BYTES } from './peer.js'

/** Siltstone with default options: the budget of the benchmark is its default. */
export const siltstone: LibraryPeer = {
  name: 'siltstone',

  async describe() {
    // From dist/bench/peers.
    const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'))
    return {
      version,
      settings: [
        'lz4',
        'cache 64 MiB',
        'write buffer 32 MiB',
        'bloom filters of 10 bits a key',
        'written: sync false; synced: sync true',
      ],
    }
  },

  async open(directory, durability) {
    const db = await open(directory, {
      cacheBytes: CACHE_BYTES,
      writeBufferBytes: WRITE_BUFFER_BYTES,
      sync: durability === 'synced',
    })
    return {
      batch: (operations) => db.batch(operations),
      put: (key, value) => db.put(key, value),
      putSync: (key, value) => db.putSync(key, value),
      del: (key) => db.del(key),
      delSync: (key) => db.delSync(key),
      get: (key) => db.get(key),
      getSync: (key) => db.getSync(key),
      getMany: (keys) => db.getManySync(keys),
      async scan(reverse) {
        let count = 0
        for await (const [key, value] of db.entries({ reverse })) if (key.length + value.length > 0) count++
        return count
      },
      scanSync(reverse) {
        let count = 0
        for (const [key, value] of db.entries({ reverse })) if (key.length + value.length > 0) count++
        return count
      },
      async seek(key, count) {
        return (await db.entries({ gte: key, limit: count }).toArray()).length
      },
      seekSync: (key, count) => db.entries({ gte: key, limit: count }).toArraySync().length,
      compact: () => db.compact(),
      settle: () => db.idle(),
      close: () => db.close(),
    }
  },
}
