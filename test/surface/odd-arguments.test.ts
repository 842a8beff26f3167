import { describe, expect, it } from 'vitest'
import { Database, open, SiltstoneError } from '../../src/index.js'
import { withSeeds } from '../simulation/reproduce.js'
import { declaredMethods } from './declared.js'
import { publicMethods, subjects } from './surface.js'

/*
 * Whatever is given in the place of an argument: the answer is a value or a SiltstoneError, never a TypeError from somewhere inside, and
 * what was refused has left nothing behind.
 */

const ODD: readonly unknown[] = [
  undefined,
  null,
  true,
  0,
  -1,
  1.5,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  7n,
  '',
  'x',
  Symbol('odd'),
  () => 'odd',
  [],
  [undefined],
  [null],
  ['x'],
  [{}],
  [{ type: 'put' }],
  [{ type: 'send' }],
  [{ type: 'ack', message: {} }],
  {},
  { x: 1 },
  { gte: 1 },
  { signal: 'x' },
  { snapshot: {} },
  { keyspace: {} },
  { limit: -1 },
  { max: 'x' },
  { wait: 'x' },
  { cron: '* * * * *', timezone: 'Nowhere/At_All' },
  { offset: 'x' },
  Object.create(null),
  new Date(Number.NaN),
  new Map(),
  new Uint8Array(3),
  new ArrayBuffer(3),
  new Proxy({}, {}),
]

// They end what the others need, or never end by themselves.
const LEFT_OUT = new Set(['close', 'consume', 'follow', 'pause', 'idle'])

/** Waits for what comes of a call: a promise, or the first step of a loop. */
async function outcome(made: unknown): Promise<void> {
  const loop = made as AsyncGenerator & AsyncIterable<unknown>
  if (typeof loop?.next === 'function') {
    const first = loop.next()
    await Promise.race([first, new Promise((resolve) => setImmediate(resolve))])
    first.catch?.(() => {})
    await loop.return?.(undefined)
  } else await made
}

describe('odd arguments', () => {
  it('are refused with errors of the store', async () => {
    const declared = declaredMethods()
    const wrong = new Set<string>()
    await withSeeds(1, async (random) => {
      const { all, close } = await subjects()
      for (const { name, object } of all) {
        for (const method of publicMethods(object, declared)) {
          if (LEFT_OUT.has(method)) continue
          for (let round = 0; round < 60; round++) {
            const given = Array.from({ length: random.between(0, 3) }, () => random.pick(ODD))
            // A text is a directory like any other there, and it would be made.
            if (method === 'checkpoint' && typeof given[0] === 'string') continue
            try {
              const made = Reflect.apply(Reflect.get(object, method), object, given)
              await Promise.race([outcome(made), new Promise((resolve) => setTimeout(resolve, 50).unref())])
            } catch (error) {
              if (error instanceof SiltstoneError) continue
              const { stack } = error as Error
              wrong.add(`${name}.${method}: ${error} ${stack?.split('\n').slice(1, 3).join(' ')}`)
            }
          }
        }
      }
      await close()
    })
    expect([...wrong]).toEqual([])
  })

  it('leave a store as it was where they are refused', async () => {
    await using db = await open(':memory:', { executor: 'inline' })
    await db.put('a', '1')
    const before = await db.entries().toArray()
    const position = () => db.stats().log.position
    const start = position()
    const declared = declaredMethods()
    await withSeeds(1, async (random) => {
      for (const method of publicMethods(db, declared)) {
        if (LEFT_OUT.has(method) || !(method in Database.prototype)) continue
        for (let round = 0; round < 60; round++) {
          const at = position()
          const given = Array.from({ length: random.between(0, 3) }, () => random.pick(ODD))
          if (method === 'checkpoint' && typeof given[0] === 'string') continue
          try {
            await outcome(Reflect.apply(Reflect.get(db, method), db, given))
            // It was a call like any other: what it did is undone by hand.
            if (position() !== at) await db.batch([{ type: 'clear' }, { type: 'put', key: 'a', value: '1' }])
          } catch {
            expect(position(), method).toBe(at)
          }
        }
      }
    })
    expect(await db.entries().toArray()).toEqual(before)
    expect(position()).toBeGreaterThanOrEqual(start)
  })
})
