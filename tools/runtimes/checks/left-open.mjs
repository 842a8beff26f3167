// A store that nobody closes keeps no process alive.
import { open } from 'siltstone'

const db = await open('./left-open', { writeBufferBytes: 65536 })
for (let i = 0; i < 1000; i++) await db.put(String(i), 'x'.repeat(100))
await db.flush()
