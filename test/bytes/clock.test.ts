import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { monotonicTime, systemClock } from '../../src/bytes/clock.js'

const YEAR_MS = 365 * 24 * 3600 * 1000

describe('the clock of the machine', () => {
  beforeEach(() => {
    vi.useFakeTimers({ now: 1_700_000_000_000 })
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  it('tells the time', () => {
    expect(systemClock.now()).toBe(1_700_000_000_000)
  })

  it('calls back once, when the delay is over', () => {
    const callback = vi.fn()
    systemClock.after(1000, callback)
    vi.advanceTimersByTime(999)
    expect(callback).not.toHaveBeenCalled()
    vi.advanceTimersByTime(5000)
    expect(callback).toHaveBeenCalledOnce()
  })

  it('waits for a year where a timer of Node would give up after 25 days', () => {
    const callback = vi.fn()
    systemClock.after(YEAR_MS, callback)
    vi.advanceTimersByTime(YEAR_MS - 1)
    expect(callback).not.toHaveBeenCalled()
    vi.advanceTimersByTime(1)
    expect(callback).toHaveBeenCalledOnce()
  })

  it('can be told not to call, also half-way through a long delay', () => {
    const callback = vi.fn()
    systemClock.after(1000, callback)()
    const cancel = systemClock.after(YEAR_MS, callback)
    vi.advanceTimersByTime(YEAR_MS / 2)
    cancel()
    vi.advanceTimersByTime(YEAR_MS)
    expect(callback).not.toHaveBeenCalled()
    expect(vi.getTimerCount()).toBe(0)
  })
})

it('a waiting clock does not keep the process alive', () => {
  const before = process.getActiveResourcesInfo().filter((resource) => resource === 'Timeout').length
  const cancel = systemClock.after(100_000, () => {})
  const during = process.getActiveResourcesInfo().filter((resource) => resource === 'Timeout').length
  cancel()
  expect(during).toBe(before)
})

it('the time of the machine only goes on, whatever the wall clock is set to', () => {
  const real = Date.now
  try {
    let before = monotonicTime(systemClock)
    const begin = before
    for (const hours of [1, -1, 24, -48, 0.001, 0]) {
      Date.now = () => real() + hours * 3_600_000
      const now = monotonicTime(systemClock)
      expect(now).toBeGreaterThanOrEqual(before)
      before = now
    }
    // An hour ahead is not an hour slept: the uptime of the machine says so.
    expect(before - begin).toBeLessThan(600_000)
  } finally {
    Date.now = real
  }
})
