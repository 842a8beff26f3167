import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import { open, type Queue } from '../src/index.js'
import { barChart } from '../tools/pictures/bar-chart.js'
import { missingPlainjobs, PlainjobsQueue, plainjobsVersion } from './queue-plainjobs.js'
import { machine } from './report.js'

/*
 * How many messages of 100 bytes a queue takes and hands out in a second, beside plainjobs on better-sqlite3 in the same run.
 * Run by hand: `node dist/bench/queue.js [--scale 0.1] [--json file] [--svg file]`; a scale of 0.1 takes a tenth of the messages.
 */

const { values } = parseArgs({
  options: { scale: { type: 'string', default: '1' }, json: { type: 'string' }, svg: { type: 'string' } },
})
const scale = Number(values.scale)
const body = Buffer.alloc(100, 'x')
const OURS = 0
const THEIRS = 4

/** What is measured: how many in a second, or microseconds, of Siltstone and of plainjobs. */
interface Plan {
  readonly what: string
  /** Siltstone has to reach this. */
  readonly target: number
  readonly unit: '/s' | 'us'
  /** Fills and warms, then returns what is to be measured. */
  ours(q: Queue<Uint8Array>): Promise<() => Promise<unknown>>
  theirs(jobs: PlainjobsQueue): Promise<() => Promise<unknown>>
  /** The same with transactions of the bench's own around its calls, where that makes it faster. */
  wrapped?(jobs: PlainjobsQueue): Promise<() => Promise<unknown>>
  readonly count: number
  /** plainjobs is slower: fewer will do. */
  readonly countOfTheirs: number
}

interface Row {
  readonly what: string
  readonly unit: string
  readonly target: number
  readonly siltstone: number
  readonly plainjobs: number | undefined
  readonly ratio: number | undefined
  /** plainjobs in transactions that it does not make itself. */
  readonly wrapped: number | undefined
  readonly wrappedRatio: number | undefined
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
    const messages = await q.receive({ max: Math.min(max, left) })
    if (messages.length === 0) throw new Error(`${left} messages are missing`)
    left -= messages.length
    await q.ackMany(messages, { sync })
  }
}

async function consume(q: Queue<Uint8Array>, count: number): Promise<void> {
  let left = count
  await new Promise<void>((resolve) => {
    const worker = q.consume(
      () => {
        if (--left === 0) worker.stop().then(resolve)
      },
      { concurrency: 100, prefetch: 200 },
    )
  })
}

/** Sends one after the other, each in a turn of its own, and notes how long it takes to the handler. */
async function latencies(count: number, send: () => void, started: (onHandled: () => void) => void): Promise<number> {
  const times: number[] = []
  let sentAt = 0
  let arrived = (): void => {}
  started(() => {
    times.push((performance.now() - sentAt) * 1000)
    arrived()
  })
  for (let i = 0; i < count; i++) {
    await new Promise<void>((resolve) => {
      arrived = resolve
      setImmediate(() => {
        sentAt = performance.now()
        send()
      })
    })
    await new Promise((resolve) => setImmediate(resolve))
  }
  return times.sort((a, b) => a - b)[Math.floor(times.length / 2)]!
}

const n = (count: number): number => Math.max(1000, Math.round((count * scale) / 1000) * 1000)

/** Receives and acknowledges, 100 at once. */
function receiving(what: string, target: number, count: number, sync: boolean): Plan {
  return {
    what,
    target,
    unit: '/s',
    count: n(count),
    countOfTheirs: n(count / 10),
    async ours(q) {
      await fill(q, this.count)
      return () => drain(q, this.count, 100, sync)
    },
    async theirs(jobs) {
      jobs.addAll(this.countOfTheirs, 1000)
      jobs.synced = sync
      return async () => jobs.drainSingly(this.countOfTheirs)
    },
    async wrapped(jobs) {
      jobs.addAll(this.countOfTheirs, 1000)
      jobs.synced = sync
      return async () => jobs.drain(this.countOfTheirs, 100)
    },
  }
}

const plans: readonly Plan[] = [
  {
    what: 'send, synced, 100 in flight',
    target: 60_000,
    unit: '/s',
    count: n(300_000),
    countOfTheirs: n(10_000),
    async ours(q) {
      return () => inFlight(100, this.count, () => q.send(body, { sync: true }))
    },
    async theirs(jobs) {
      jobs.synced = true
      return async () => jobs.addSingly(this.countOfTheirs)
    },
  },
  {
    what: 'send, synced batches of 100',
    target: 200_000,
    unit: '/s',
    count: n(500_000),
    countOfTheirs: n(20_000),
    async ours(q) {
      const batch = Array.from({ length: 100 }, () => ({ body }))
      return () => inFlight(4, this.count / 100, () => q.sendMany(batch, { sync: true }))
    },
    async theirs(jobs) {
      jobs.synced = true
      return async () => jobs.addSingly(this.countOfTheirs)
    },
    async wrapped(jobs) {
      jobs.synced = true
      return async () => jobs.addAll(this.countOfTheirs, 100)
    },
  },
  {
    what: 'send, batches of 1000',
    target: 500_000,
    unit: '/s',
    count: n(1_000_000),
    countOfTheirs: n(50_000),
    async ours(q) {
      return () => fill(q, this.count)
    },
    async theirs(jobs) {
      return async () => jobs.addSingly(this.countOfTheirs)
    },
    async wrapped(jobs) {
      return async () => jobs.addAll(this.countOfTheirs, 1000)
    },
  },
  receiving('receive and ack, 100 at once', 100_000, 500_000, false),
  receiving('receive and ack, synced, 100 at once', 40_000, 200_000, true),
  {
    what: 'consume, 100 handlers at once',
    target: 100_000,
    unit: '/s',
    count: n(200_000),
    countOfTheirs: n(20_000),
    async ours(q) {
      await fill(q, this.count)
      return () => consume(q, this.count)
    },
    async theirs(jobs) {
      jobs.addAll(this.countOfTheirs, 1000)
      return () => jobs.consume(this.countOfTheirs)
    },
  },
  {
    what: 'send to handler, median',
    target: 100,
    unit: 'us',
    count: n(5000),
    countOfTheirs: 1000,
    async ours(q) {
      return async () => {
        let worker: { stop(): Promise<void> } | undefined
        const median = await latencies(
          this.count,
          () => void q.send(body),
          (onHandled) => {
            worker = q.consume(onHandled)
          },
        )
        await worker!.stop()
        return median
      }
    },
    async theirs(jobs) {
      return async () => {
        let consumed: Promise<void> | undefined
        const median = await latencies(
          this.countOfTheirs,
          () => jobs.add(),
          (onHandled) => {
            consumed = jobs.consume(this.countOfTheirs, onHandled)
          },
        )
        await consumed
        return median
      }
    },
  },
]

async function inDirectory<T>(run: (directory: string) => Promise<T>): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), 'siltstone-queue-bench-'))
  try {
    return await run(directory)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

/** What the run says of itself, or how many it did in a second. */
async function measured(count: number, run: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now()
  const said = await run()
  return typeof said === 'number' ? said : (count / (performance.now() - startedAt)) * 1000
}

async function ours(plan: Plan): Promise<number> {
  return inDirectory(async (directory) => {
    const db = await open(join(directory, 'store'))
    try {
      return await measured(plan.count, await plan.ours(db.queue<Uint8Array>('a')))
    } finally {
      await db.close()
    }
  })
}

type Prepare = (jobs: PlainjobsQueue) => Promise<() => Promise<unknown>>

async function theirs({ countOfTheirs }: Plan, prepare: Prepare): Promise<number> {
  return inDirectory(async (directory) => {
    const jobs = await PlainjobsQueue.open(directory, body.toString())
    try {
      return await measured(countOfTheirs, await prepare(jobs))
    } finally {
      jobs.close()
    }
  })
}

const shown = (value: number | undefined, unit: string): string =>
  value === undefined ? '-' : `${Math.round(value).toLocaleString('en')} ${unit}`

const times = (ratio: number | undefined): string => (ratio === undefined ? '-' : `${ratio.toFixed(1)}x`).padStart(9)

function print({ what, unit, target, siltstone, plainjobs, ratio, wrapped, wrappedRatio }: Row): void {
  const cell = (value: number | undefined): string => shown(value, unit).padStart(15)
  const cells = [cell(target), cell(siltstone), cell(plainjobs), times(ratio), cell(wrapped), times(wrappedRatio)]
  process.stdout.write(`${what.padEnd(38)}${cells.join('')}\n`)
}

function ratioOf(unit: Plan['unit'], siltstone: number, other: number | undefined): number | undefined {
  if (other === undefined) return undefined
  return unit === 'us' ? other / siltstone : siltstone / other
}

function save(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
  process.stderr.write(`wrote ${path}\n`)
}

const reason = await missingPlainjobs()
if (reason !== undefined) process.stderr.write(`plainjobs takes no part: ${reason}\n`)
process.stdout.write(
  `${''.padEnd(38)}${['target', 'Siltstone', 'plainjobs'].map((each) => each.padStart(15)).join('')}${'ratio'.padStart(9)}${'in batches'.padStart(15)}${'ratio'.padStart(9)}\n`,
)
const rows: Row[] = []
for (const plan of plans) {
  const { what, unit, target } = plan
  const siltstone = await ours(plan)
  const plainjobs = reason === undefined ? await theirs(plan, (jobs) => plan.theirs(jobs)) : undefined
  const wrapped = reason === undefined && plan.wrapped ? await theirs(plan, (jobs) => plan.wrapped!(jobs)) : undefined
  const ratio = ratioOf(unit, siltstone, plainjobs)
  const wrappedRatio = ratioOf(unit, siltstone, wrapped)
  const row = { what, unit, target, siltstone, plainjobs, ratio, wrapped, wrappedRatio }
  rows.push(row)
  print(row)
}
const report = {
  format: 1,
  createdAt: new Date().toISOString(),
  machine: machine(),
  settings: { scale, bodyBytes: body.length },
  plainjobs: reason === undefined ? plainjobsVersion() : { missing: reason },
  rows,
}
if (values.json !== undefined) save(values.json, `${JSON.stringify(report, null, 2)}\n`)
if (values.svg !== undefined) {
  const groups = rows
    .filter(({ unit }) => unit === '/s')
    .map(({ what, siltstone, plainjobs, wrapped, target, unit }) => ({
      heading: what,
      bars: [
        { label: 'siltstone', value: siltstone, text: shown(siltstone, unit), colour: OURS, target },
        ...(plainjobs === undefined
          ? []
          : [{ label: 'plainjobs', value: plainjobs, text: shown(plainjobs, unit), colour: THEIRS }]),
        ...(wrapped === undefined
          ? []
          : [{ label: 'plainjobs, in transactions', value: wrapped, text: shown(wrapped, unit), colour: THEIRS }]),
      ],
    }))
  const note = 'Messages of 100 bytes a second. A stroke is a target; plainjobs ran on better-sqlite3 in the same run.'
  save(values.svg, barChart('Queues', note, groups))
}
