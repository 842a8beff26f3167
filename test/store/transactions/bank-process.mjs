// A bank that transfers until it is killed, and says on stdout which transfers have been acknowledged.
// Arguments: directory, isolation, number of this life.
import { open } from '../../../dist/src/index.js'

const [directory, isolation, life] = process.argv.slice(2)
const ACCOUNTS = 10
const db = await open(directory, { writeBufferBytes: 64 * 1024 })
const key = (i) => `account:${i}`
const any = () => Math.floor(Math.random() * ACCOUNTS)

let next = 0
async function teller() {
  for (;;) {
    const receipt = `${life}.${++next}`
    const [from, to] = [any(), any()]
    await db.transaction(
      async (tx) => {
        const [source, target] = (await tx.getMany([key(from), key(to)])).map(Number)
        const moved = Math.min(Math.floor(Math.random() * 50), source)
        await new Promise((resolve) => setImmediate(resolve))
        if (from !== to) {
          await tx.put(key(from), String(source - moved))
          await tx.put(key(to), String(target + moved))
        }
        await tx.put(`receipt:${receipt}`, 'x'.repeat(300))
      },
      { isolation, sync: Math.random() < 0.05, retries: 10_000 },
    )
    process.stdout.write(`${receipt}\n`)
  }
}

await Promise.all(Array.from({ length: 64 }, teller))
