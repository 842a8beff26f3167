// A writer in a process of its own: writes what it is told to write, and says when it is ready.
import { open } from '../../../dist/src/index.js'

const [directory] = process.argv.slice(2)
const db = await open(directory, { writeBufferBytes: 64 * 1024, logRetention: { bytes: Number.POSITIVE_INFINITY } })
process.on('message', async ({ from, to, flush }) => {
  for (let i = from; i < to; i++) await db.put(`key ${i}`, 'x'.repeat(500), { sync: i % 100 === 0 })
  if (flush) await db.flush()
})
process.on('disconnect', async () => {
  await db.close()
})
process.send('ready')
