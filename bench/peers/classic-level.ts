import { ClassicLevel } from 'classic-level'
import { CACHE_BYTES, type Peer, WRITE_BUFFER_BYTES } from './peer.js'

/** LevelDB by way of its binding for Node. */
export async function openClassicLevel(directory: string): Promise<Peer> {
  const db = new ClassicLevel<string, string>(directory, {
    cacheSize: CACHE_BYTES,
    writeBufferSize: WRITE_BUFFER_BYTES,
    compression: true,
  })
  await db.open()
  return {
    title: 'classic-level (snappy, 64 MiB cache, 32 MiB write buffer)',
    batch: (operations) => db.batch(operations as never),
    put: (key, value) => db.put(key, value),
    get: (key) => db.get(key),
    getSync: (key) => db.getSync(key),
    getMany: (keys) => db.getMany(keys),
    async scanAll() {
      let count = 0
      const iterator = db.iterator({ highWaterMarkBytes: 1024 * 1024 })
      for (;;) {
        const entries = await iterator.nextv(1000)
        if (entries.length === 0) break
        count += entries.length
      }
      await iterator.close()
      return count
    },
    async seek(key, count) {
      const iterator = db.iterator({ gte: key, limit: count })
      const entries = await iterator.all()
      return entries.length
    },
    // LevelDB does not say when its compactions are done; the harness gives it time.
    settle: async () => {},
    close: () => db.close(),
  }
}
