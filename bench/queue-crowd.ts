import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { open, type Queue } from '../src/index.js'

/*
 * What many queues in one store cost: sending to each, opening, taking from each, and the disk and memory at every step.
 * Run by hand: `node dist/bench/queue-crowd.js 10_000`.
 */

const count = Number((process.argv[2] ?? '10_000').replaceAll('_', ''))
const directory = mkdtempSync(join(tmpdir(), 'siltstone-crowd-'))
const MIB = 1024 * 1024

function bytesOf(file: string): number {
  // A table that nobody needs any more may go while this looks.
  return statSync(join(directory, file), { throwIfNoEntry: false })?.size ?? 0
}

async function step(what: string, run: () => Promise<void>): Promise<void> {
  const startedAt = performance.now()
  const usedBefore = process.cpuUsage()
  await run()
  const ms = performance.now() - startedAt
  const { user, system } = process.cpuUsage(usedBefore)
  const files = readdirSync(directory)
  const disk = files.reduce((sum, file) => sum + bytesOf(file), 0)
  const memory = process.memoryUsage().rss
  process.stdout.write(
    `${what.padEnd(34)} ${ms.toFixed(0).padStart(6)} ms, processor ${((user + system) / 1000).toFixed(0).padStart(6)} ms, ` +
      `${files.length.toString().padStart(6)} files, disk ${(disk / MIB).toFixed(1)} MiB, memory ${(memory / MIB).toFixed(0)} MiB\n`,
  )
}

let db = await open(directory)
const queue = (i: number): Queue<number> => db.queue<number>(`q${i}`)

async function each(run: (q: Queue<number>, i: number) => Promise<void>): Promise<void> {
  for (let i = 0; i < count; i++) await run(queue(i), i)
}

async function take(q: Queue<number>, max: number, expected: number): Promise<void> {
  const messages = await q.receive({ max })
  if (messages.length !== expected) throw new Error(`${q.name} handed out ${messages.length} messages, not ${expected}`)
  await q.ackMany(messages)
}

async function reopen(): Promise<void> {
  await db.close()
  db = await open(directory)
}

try {
  await step(`two messages to each of ${count}`, () =>
    each(async (q, i) => {
      await q.sendMany([{ body: i }, { body: i + 0.5 }])
    }),
  )
  await step('close and open', reopen)
  await step('the figures of each', () =>
    each(async (q) => {
      if (q.stats().depth !== 2) throw new Error(`${q.name} holds ${q.stats().depth} messages, not 2`)
    }),
  )
  await step('take one from each', () => each((q) => take(q, 1, 1)))
  await step('flush: each has a table now', async () => {
    await db.flush()
    await db.idle()
  })
  await step('close and open', reopen)
  await step('take the rest from each', () => each((q) => take(q, 5, 1)))
  await step('flush what is left', async () => {
    // The tables go together, a moment after the last message did.
    await new Promise((resolve) => setTimeout(resolve, 300))
    await db.flush()
    await db.idle()
  })
  await step('close and open', reopen)
  await step('the figures of each', () =>
    each(async (q) => {
      if (q.stats().depth !== 0) throw new Error(`${q.name} is not empty`)
    }),
  )
} finally {
  await db.close()
  rmSync(directory, { recursive: true, force: true })
}
