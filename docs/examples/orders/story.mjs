// The story: customers pay while dispatch is down, the counter dies now and then; afterwards dispatch starts and is killed at random until
// everything is out. Run it: node docs/examples/orders/story.mjs [payments] [kills]
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { open } from 'siltstone'
import { complaints, dispatchedParcels, ordersOf } from './shop.mjs'

const CUSTOMERS = 7
const AT_ONCE = 50

/** Runs a program until it ends, or kills it after so many lines; returns the lines, and whether it was killed. */
async function run(program, args, linesBeforeKill) {
  const child = spawn(process.execPath, [fileURLToPath(new URL(program, import.meta.url)), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(child, 'close')
  const lines = []
  if (linesBeforeKill === 0) setTimeout(() => child.kill('SIGKILL'), 30 + Math.random() * 120)
  for await (const line of createInterface({ input: child.stdout })) {
    lines.push(line)
    if (lines.length === linesBeforeKill) child.kill('SIGKILL')
  }
  const [status, signal] = await ended
  if (status !== 0 && signal !== 'SIGKILL') throw new Error(`${program} ended with ${status ?? signal}`)
  return { lines, wasKilled: signal === 'SIGKILL' }
}

/** Every customer pays again and again until the counter has said that it was taken. */
async function pay(directory, payments, kills) {
  let deaths = 0
  for (let i = 0; i < payments.length; i += AT_ONCE) {
    let open = payments.slice(i, i + AT_ONCE)
    while (open.length > 0) {
      const isDoomed = deaths < kills && Math.random() < 0.5
      const most = isDoomed ? Math.floor(Math.random() * open.length) : Number.POSITIVE_INFINITY
      const { lines, wasKilled } = await run('./counter.mjs', [directory, JSON.stringify(open)], most)
      const taken = new Set(lines)
      open = open.filter(({ id }) => !taken.has(id))
      if (wasKilled) deaths++
    }
  }
  return deaths
}

/** Dispatch is started, and killed, and started. */
async function dispatch(directory, count, kills) {
  let deaths = 0
  for (;;) {
    const most = deaths < kills ? Math.floor(Math.random() * ((2 * count) / (kills + 1))) : Number.POSITIVE_INFINITY
    const { wasKilled } = await run('./dispatch.mjs', [directory, '10'], most)
    if (!wasKilled) return deaths
    deaths++
  }
}

/** Tells the story once. Returns what happened, and what is wrong, which is nothing. */
export async function tell(payments, kills) {
  const directory = mkdtempSync(join(tmpdir(), 'siltstone-orders-'))
  try {
    const numbers = new Map()
    const paid = Array.from({ length: payments }, (_, i) => {
      const customer = `c${i % CUSTOMERS}`
      const number = (numbers.get(customer) ?? 0) + 1
      numbers.set(customer, number)
      return { id: `${customer}-${number}`, customer, amount: 1 + (i % 100) }
    })
    const counterDeaths = await pay(directory, paid, Math.ceil(kills / 4))
    const dispatchDeaths = await dispatch(directory, payments, kills)
    const db = await open(directory)
    const parcels = await dispatchedParcels(db)
    const { sent, redelivered, duplicates, depth } = ordersOf(db).stats()
    await db.close()
    const wrong = complaints(paid, parcels)
    return {
      payments,
      parcels: parcels.length,
      counterDeaths,
      dispatchDeaths,
      sent,
      redelivered,
      duplicates,
      depth,
      wrong,
    }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [payments = 1000, kills = 20] = process.argv.slice(2).map(Number)
  const { wrong, ...story } = await tell(payments, kills)
  console.log(story)
  for (const each of wrong) console.error(each)
  console.log(wrong.length === 0 ? 'every payment was dispatched once, in order per customer' : `${wrong.length} wrong`)
  process.exitCode = wrong.length === 0 ? 0 : 1
}
