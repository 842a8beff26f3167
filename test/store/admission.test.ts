import { describe, expect, it } from 'vitest'
import { type Clock, systemClock } from '../../src/bytes/clock.js'
import { open } from '../../src/index.js'
import { Admission } from '../../src/store/admission.js'

const BEHIND = { debt: 1.5, reason: 'flush is behind' }

describe('a writer that does not give up its turn', () => {
  it('is not slowed down for what has ended meanwhile', () => {
    const admission: Admission = new Admission(systemClock, '/store', () => admission.update({ debt: 0.5 }))
    admission.update(BEHIND)
    admission.chargeSync(1024 * 1024)
    expect(admission.stalls()).toEqual([])
    expect(admission.slowdown()).toBeUndefined()
  })

  it('is slowed down for what has not', () => {
    let looks = 0
    const admission = new Admission(systemClock, '/store', () => looks++)
    admission.update(BEHIND)
    admission.chargeSync(1024 * 1024)
    expect(looks).toBe(1)
    expect(admission.stalls()).toMatchObject([{ reason: 'flush is behind', count: 1 }])
  })
})

/** A clock that wakes nobody before it is told to. */
function stoppedClock(): Clock & { wake(): void } {
  const sleepers: (() => void)[] = []
  return {
    now: () => systemClock.now(),
    after: (_ms, callback) => {
      sleepers.push(callback)
      return () => {}
    },
    wake: () => {
      for (const callback of sleepers.splice(0)) callback()
    },
  }
}

/** The highest debt: a write of 200 bytes costs a tenth of a millisecond. */
const AT_WORST = { debt: 2, reason: 'runs pile up on level 0' }

describe('the pace of writers', () => {
  it('is paid for by those who write much', () => {
    const admission = new Admission(systemClock, '/store', () => {})
    admission.update(AT_WORST)
    expect(admission.charge(1024 * 1024)).toBe(20)
    expect(admission.charge(100)).toBe(0)
    expect(admission.charge(1024)).toBe(20)
  })

  it('holds for small writes too, where they alone are too fast', () => {
    const admission = new Admission(systemClock, '/store', () => {})
    admission.update(AT_WORST)
    let delayMs = 0
    for (let i = 0; i < 10_000 && delayMs === 0; i++) delayMs = admission.charge(150)
    expect(delayMs).toBeGreaterThan(0)
  })

  it("is nobody's concern without debt", () => {
    const admission = new Admission(systemClock, '/store', () => {})
    admission.update(AT_WORST)
    admission.charge(1024 * 1024)
    admission.update({ debt: 0.9 })
    expect(admission.charge(1024 * 1024)).toBe(0)
    expect(admission.stalls()).toMatchObject([{ reason: 'runs pile up on level 0', count: 1, totalMs: 20 }])
  })
})

describe('a writer that is held back', () => {
  const much = Array.from({ length: 100 }, (_, i) => ({ type: 'put' as const, key: `k${i}`, value: 'v'.repeat(1000) }))

  it('has written already, and nobody else waits for it', async () => {
    const clock = stoppedClock()
    const db = await open(':memory:', { clock })
    await db.put('first', '0')
    db.engine.admission.update(AT_WORST)
    let heard = false
    const batch = db.batch(much).then(() => {
      heard = true
    })
    await new Promise(setImmediate)
    await db.put('small', '1')
    expect([db.getSync('k99')?.length, db.getSync('small'), heard]).toEqual([1000, '1', false])
    await db.put('another', '2')
    expect(heard).toBe(false)
    clock.wake()
    await batch
    await db.close()
  })

  it('hears of it when the store is closed', async () => {
    const db = await open(':memory:', { clock: stoppedClock() })
    await db.put('first', '0')
    db.engine.admission.update(AT_WORST)
    const batch = db.batch(much)
    await new Promise(setImmediate)
    await db.close()
    await batch
  })
})
