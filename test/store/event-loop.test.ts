import { beforeEach, describe, expect, it } from 'vitest'
import { type Database, open } from '../../src/index.js'

// Seconds of work: whoever has not let the loop turn by then never will.
const MOST_STEPS = 200_000

/** Takes steps, each awaited, until the event loop has turned a few times; how many it took, at most. */
async function stepsUntilTurned(step: (i: number) => Promise<unknown>): Promise<number> {
  let turns = 0
  const turn = (): void => {
    if (++turns < 5) setImmediate(turn)
  }
  setImmediate(turn)
  let steps = 0
  while (turns < 5 && steps < MOST_STEPS) await step(steps++)
  return steps
}

describe('the event loop turns', () => {
  let db: Database
  beforeEach(async () => {
    db = await open(':memory:', { writeBufferBytes: 1024 * 1024 })
    for (let i = 0; i < 5000; i++) db.putSync(String(i), 'value')
    return () => db.close()
  })

  const steps: Record<string, (i: number) => Promise<unknown>> = {
    'a put': (i) => db.put(String(i % 5000), 'value'),
    'a del': (i) => db.del(String(i % 5000)),
    'a batch': (i) => db.batch([{ type: 'put', key: String(i % 5000), value: 'value' }]),
    'a chained batch': (i) =>
      db
        .batch()
        .put(String(i % 5000), 'value')
        .write(),
    'a get': (i) => db.get(String(i % 5000)),
    'a has': (i) => db.has(String(i % 5000)),
    'a getMany': () => db.getMany(['1', '2', '3']),
    'a hasMany': () => db.hasMany(['1', '2', '3']),
    'a count': () => db.count({ prefix: '11' }),
    'a scan': () => db.keys({ prefix: '11' }).toArray(),
    'a loop over a scan': async () => {
      for await (const _ of db.entries({ prefix: '11' }));
    },
  }

  it.each(Object.entries(steps))('while %s after the other is awaited', async (_, step) => {
    expect(await stepsUntilTurned(step)).toBeLessThan(MOST_STEPS)
  })

  it('for all who read at the same time alike', async () => {
    const done = new Array<number>(16).fill(0)
    let least = 0
    const lane = async (i: number): Promise<void> => {
      while (done[i]! < 5000) {
        await db.get(String(done[i]!++ % 5000))
        if (done[i] === 5000 && least === 0) least = Math.min(...done)
      }
    }
    await Promise.all(done.map((_, i) => lane(i)))
    // Whoever was there first, the others were not left behind.
    expect(least).toBeGreaterThan(4000)
  })

  it('while one scan is walked in small slices', async () => {
    let scan = db.keys()
    const taken = await stepsUntilTurned(async () => {
      if ((await scan.nextMany(1)).length > 0) return
      scan.close()
      scan = db.keys()
    })
    scan.close()
    expect(taken).toBeLessThan(MOST_STEPS)
  })
})
