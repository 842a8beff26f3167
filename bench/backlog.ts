import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { open, type Queue } from '../src/index.js'

/*
 * What a backlog costs: disk, memory, opening, and taking the next message with all of it waiting, with a tenth of it, and with none.
 * Run by hand: `node dist/bench/backlog.js 10_000_000`.
 */

const count = Math.max(100_000, Number((process.argv[2] ?? '1_000_000').replaceAll('_', '')))
const directory = mkdtempSync(join(tmpdir(), 'siltstone-backlog-'))
const MIB = 1024 * 1024

function say(what: string): void {
  const disk = readdirSync(directory).reduce((sum, file) => sum + statSync(join(directory, file)).size, 0)
  const memory = process.memoryUsage().rss
  process.stdout.write(
    `${what.padEnd(64)} disk ${(disk / MIB).toFixed(1)} MiB, memory ${(memory / MIB).toFixed(0)} MiB\n`,
  )
}

async function microsecondsToTake(q: Queue, messages: number): Promise<string> {
  // The first ten thousand are taken by code that is not compiled yet, which costs up to six times as much.
  for (let i = 0; i < 20_000; i++) await q.ackMany(await q.receive())
  const startedAt = performance.now()
  for (let i = 0; i < messages; i++) await q.ackMany(await q.receive())
  return (((performance.now() - startedAt) / messages) * 1000).toFixed(1)
}

async function reopened(): Promise<{ db: Awaited<ReturnType<typeof open>>; q: Queue; ms: string }> {
  const startedAt = performance.now()
  const db = await open(directory)
  const q = db.queue('q')
  await q.peek()
  return { db, q, ms: (performance.now() - startedAt).toFixed(0) }
}

try {
  let { db, q, ms } = await reopened()
  const batch = Array.from({ length: 1000 }, () => ({ body: Buffer.alloc(100, 'x') }))
  const startedAt = performance.now()
  for (let sent = 0; sent < count; sent += 1000) await q.sendMany(batch)
  say(
    `sent ${count.toLocaleString('en')} at ${Math.round((count * 1000) / (performance.now() - startedAt)).toLocaleString('en')}/s`,
  )
  await db.close()
  ;({ db, q, ms } = await reopened())
  say(`opened in ${ms} ms, one message takes ${await microsecondsToTake(q, 2000)} us`)
  while (q.stats().depth > count / 10) await q.ackMany(await q.receive({ max: 500 }))
  say(`a tenth is left, one message takes ${await microsecondsToTake(q, 2000)} us`)
  await db.close()
  ;({ db, q, ms } = await reopened())
  say(`opened in ${ms} ms`)
  while (q.stats().depth > 0) await q.ackMany(await q.receive({ max: 500 }))
  await new Promise((resolve) => setTimeout(resolve, 200))
  await db.flush()
  await db.idle()
  say('empty, flushed and idle')
  await db.close()
} finally {
  rmSync(directory, { recursive: true, force: true })
}
