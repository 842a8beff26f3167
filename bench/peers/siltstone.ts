import { open } from '../../src/index.js'
import { CACHE_BYTES, type Peer, WRITE_BUFFER_BYTES } from './peer.js'

/** Siltstone with default options; the budget of the benchmark is its default. */
export async function openSiltstone(directory: string): Promise<Peer> {
  const db = await open(directory, { cacheBytes: CACHE_BYTES, writeBufferBytes: WRITE_BUFFER_BYTES })
  return {
    title: 'siltstone (lz4, 64 MiB cache, 32 MiB write buffer)',
    batch: (operations) => db.batch(operations),
    put: (key, value) => db.put(key, value),
    get: (key) => db.get(key),
    putSync: (key, value) => db.putSync(key, value),
    getSync: (key) => db.getSync(key),
    getMany: (keys) => db.getMany(keys),
    async scanAll() {
      let count = 0
      for (const [key] of db.entries()) if (key.length > 0) count++
      return count
    },
    async seek(key, count) {
      const scan = db.entries({ gte: key })
      const found = scan.nextManySync(count).length
      scan.close()
      return found
    },
    settle: () => db.idle(),
    close: () => db.close(),
  }
}
