import { describe, expect, it } from 'vitest'
import { systemClock } from '../../src/bytes/clock.js'
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
