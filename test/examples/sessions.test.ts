import { describe, expect, it } from 'vitest'
import { openSessions, type Sessions } from '../../docs/examples/sessions/sessions.mjs'
import { ManualClock } from '../simulation/manual-clock.js'
import { SimulatedDisk } from '../simulation/simulated-disk.js'
import { inDirectory, run } from './programs.js'

const MINUTE_MS = 60_000

/** Sessions on a disk and a clock of the test's own. */
class Desk {
  readonly clock = new ManualClock()
  private disk = new SimulatedDisk(1)
  sessions!: Sessions

  static async open(): Promise<Desk> {
    const desk = new Desk()
    await desk.reopen()
    return desk
  }

  async reopen(): Promise<void> {
    this.sessions = await openSessions('/sessions', { fs: this.disk, clock: this.clock, executor: 'inline' })
  }

  /** The process dies without closing anything. */
  async die(): Promise<void> {
    this.disk = this.disk.processDeath()
    await this.reopen()
  }

  pass(minutes: number): void {
    this.clock.advance(minutes * MINUTE_MS)
  }
}

describe('the session cache', () => {
  it('ends a session half an hour after the last visit, not a moment sooner', async () => {
    const { sessions, clock } = await Desk.open()
    const token = await sessions.begin('ada', { place: 'desk' })
    for (let i = 0; i < 5; i++) {
      clock.advance(30 * MINUTE_MS - 1)
      expect(await sessions.visit(token)).toMatchObject({ user: 'ada', data: { place: 'desk' } })
    }
    clock.advance(30 * MINUTE_MS)
    expect(await sessions.visit(token)).toBeUndefined()
    expect(await sessions.count('ada')).toBe(0)
  })

  it('ends it after twelve hours, whoever visits', async () => {
    const desk = await Desk.open()
    const token = await desk.sessions.begin('ada')
    for (let minutes = 20; minutes < 12 * 60; minutes += 20) {
      desk.pass(20)
      expect(await desk.sessions.visit(token)).toBeDefined()
    }
    desk.pass(20)
    expect(await desk.sessions.visit(token)).toBeUndefined()
  })

  it('writes nothing for visits in quick succession', async () => {
    const { sessions, clock } = await Desk.open()
    const token = await sessions.begin('ada')
    const end = logEnd(sessions)
    clock.advance(MINUTE_MS - 1)
    for (let i = 0; i < 10; i++) await sessions.visit(token)
    expect(logEnd(sessions)).toBe(end)
    clock.advance(1)
    await sessions.visit(token)
    expect(logEnd(sessions)).toBeGreaterThan(end)
  })

  it('is not brought back by a visit that was under way when it was ended', async () => {
    const desk = await Desk.open()
    const { sessions } = desk
    const token = await sessions.begin('ada')
    desk.pass(5)
    const visit = sessions.visit(token)
    await sessions.end(token)
    await visit
    expect(await sessions.visit(token)).toBeUndefined()
    expect(await sessions.count('ada')).toBe(0)
  })

  it('signs a user out everywhere, and nobody else', async () => {
    const { sessions } = await Desk.open()
    const tokens = await Promise.all(['ada', 'ada', 'bob'].map((user) => sessions.begin(user)))
    expect(await sessions.endAll('ada')).toBe(2)
    const left = await Promise.all(tokens.map((token) => sessions.visit(token)))
    expect(left.map((session) => session?.user)).toEqual([undefined, undefined, 'bob'])
  })

  it('outlives its process, and goes on expiring while there is none', async () => {
    const desk = await Desk.open()
    const early = await desk.sessions.begin('ada')
    desk.pass(20)
    const late = await desk.sessions.begin('ada')
    await desk.die()
    expect(await desk.sessions.count('ada')).toBe(2)
    desk.pass(10)
    await desk.die()
    expect(await desk.sessions.visit(early)).toBeUndefined()
    expect(await desk.sessions.visit(late)).toMatchObject({ user: 'ada' })
    expect(await desk.sessions.count('ada')).toBe(1)
  })

  it('has no token in its store', async () => {
    const { sessions } = await Desk.open()
    const token = await sessions.begin('ada')
    const entries = await sessions.db.keyspace('sessions').entries().toArray()
    expect(entries).toHaveLength(1)
    expect(JSON.stringify(entries)).not.toContain(token)
  })

  it('is shown by a day at the library, with a cache by way of Keyv', () =>
    inDirectory(async (directory) => {
      const { status, lines, errors } = await run('sessions/day.mjs', [], directory)
      expect({ status, errors }).toEqual({ status: 0, errors: '' })
      expect(lines.map((line) => line.slice(52))).toEqual([
        "signed in, 1 of ada's",
        "signed in, 2 of ada's",
        'hello ada',
        'sign in again, please',
        'hello ada',
        'hello ada',
        'sign in again, please',
        "signed in, 1 of bob's",
        "signed in, 2 of bob's",
        'signed out of 2',
        'sign in again, please',
        '',
      ])
      expect(lines.at(-1)).toContain('a cover from the cache: Moby-Dick')
    }))
})

/** Where the log of the store ends: whatever writes moves it. */
function logEnd({ db }: Sessions): number {
  const snapshot = db.snapshot()
  snapshot.close()
  return snapshot.position
}
