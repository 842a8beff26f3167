import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Database, open, type Queue } from '../src/index.js'

/*
 * How many messages of 100 bytes a queue takes and hands out in a second. Run by hand: `node dist/bench/queue.js [scale]`; a scale of
 * 0.1 takes a tenth of the messages.
 */

const scale = Number(process.argv[2] ?? 1)
const body = Buffer.alloc(100, 'x')

interface Row {
  readonly what: string
  readonly target: string
  readonly perSecond: number
}

const rows: Row[] = []

async function measured(what: string, target: string, count: number, run: () => Promise<void>): Promise<void> {
  const startedAt = performance.now()
  await run()
  const seconds = (performance.now() - startedAt) / 1000
  const row = { what, target, perSecond: count / seconds }
  rows.push(row)
  process.stdout.write(
    `${what.padEnd(46)} ${Math.round(row.perSecond).toLocaleString('en').padStart(12)} /s   ${target}\n`,
  )
}

async function withStore(run: (db: Database) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'siltstone-queue-bench-'))
  const db = await open(join(directory, 'store'))
  try {
    await run(db)
  } finally {
    await db.close()
    rmSync(directory, { recursive: true, force: true })
  }
}

/** So many senders, each waiting for its own message before it sends the next. */
async function inFlight(senders: number, count: number, send: () => Promise<unknown>): Promise<void> {
  let left = count
  await Promise.all(
    Array.from({ length: senders }, async () => {
      while (left-- > 0) await send()
    }),
  )
}

async function fill(q: Queue<Uint8Array>, count: number): Promise<void> {
  const batch = Array.from({ length: 1000 }, () => ({ body }))
  for (let sent = 0; sent < count; sent += 1000) await q.sendMany(batch)
}

async function drain(q: Queue<Uint8Array>, count: number, max: number, sync: boolean): Promise<void> {
  for (let left = count; left > 0; ) {
    const messages = await q.receive({ max })
    if (messages.length === 0) throw new Error(`${left} messages are missing`)
    left -= messages.length
    await q.ackMany(messages, { sync })
  }
}

async function latency(db: Database, count: number): Promise<number[]> {
  const q = db.queue<number>('latency')
  const times: number[] = []
  let arrived: (() => void) | undefined
  let sentAt = 0
  const worker = q.consume(() => {
    times.push((performance.now() - sentAt) * 1000)
    arrived?.()
  })
  for (let i = 0; i < count; i++) {
    await new Promise<void>((resolve) => {
      arrived = resolve
      setImmediate(() => {
        sentAt = performance.now()
        void q.send(i)
      })
    })
    await new Promise((resolve) => setImmediate(resolve))
  }
  await worker.stop()
  return times.sort((a, b) => a - b)
}

const n = (count: number): number => Math.max(1000, Math.round(count * scale))

await withStore(async (db) => {
  const q = db.queue<Uint8Array>('a')
  await measured('send, synced, 100 in flight', '60,000', n(300_000), () =>
    inFlight(100, n(300_000), () => q.send(body, { sync: true })),
  )
})
await withStore(async (db) => {
  const q = db.queue<Uint8Array>('a')
  const batch = Array.from({ length: 100 }, () => ({ body }))
  await measured('send, synced batches of 100', '200,000', n(500_000), () =>
    inFlight(4, n(500_000) / 100, () => q.sendMany(batch, { sync: true })),
  )
})
await withStore(async (db) => {
  const q = db.queue<Uint8Array>('a')
  await measured('send, batches of 1000', '500,000', n(1_000_000), () => fill(q, n(1_000_000)))
  await measured('receive and ack, 100 at once', '100,000', n(500_000), () => drain(q, n(500_000), 100, false))
  await measured('receive and ack synced, 100 at once', '40,000', n(200_000), () => drain(q, n(200_000), 100, true))
})
await withStore(async (db) => {
  const q = db.queue<Uint8Array>('a')
  await fill(q, n(200_000))
  await measured('consume, 100 handlers at once', '100,000', n(200_000), async () => {
    let left = n(200_000)
    await new Promise<void>((resolve) => {
      const worker = q.consume(
        () => {
          if (--left === 0) worker.stop().then(resolve)
        },
        { concurrency: 100, prefetch: 200 },
      )
    })
  })
})
await withStore(async (db) => {
  const times = await latency(db, n(5000))
  const at = (share: number): string => times[Math.floor(times.length * share)]!.toFixed(0)
  process.stdout.write(`send to handler: median ${at(0.5)} us, p99 ${at(0.99)} us   100 us\n`)
})
