import { describe, expect, it } from 'vitest'
import { type Database, type Isolation, open, SiltstoneError } from '../../../src/index.js'

/*
 * docs/guide/transactions.md has a table of anomalies by isolation level; every cell of it is one of these tests.
 *
 * Two transactions are laced into each other: the first one's function runs the second one to its end in the middle.
 */

async function withStore(entries: Record<string, string>, run: (db: Database) => Promise<void>): Promise<void> {
  const db = await open(':memory:')
  for (const [key, value] of Object.entries(entries)) await db.put(key, value)
  try {
    await run(db)
  } finally {
    await db.close()
  }
}

/** Runs `between` in the middle of the first attempt of a transaction, and never again. */
function once(between: () => Promise<void>): () => Promise<void> {
  let ran = false
  return async () => {
    if (ran) return
    ran = true
    await between()
  }
}

async function attempts(run: () => Promise<unknown>): Promise<'committed' | 'SILT_CONFLICT'> {
  try {
    await run()
    return 'committed'
  } catch (error) {
    expect(error).toBeInstanceOf(SiltstoneError)
    expect((error as SiltstoneError).code).toBe('SILT_CONFLICT')
    return 'SILT_CONFLICT'
  }
}

const both: Isolation[] = ['serializable', 'snapshot']

describe.each(both)('under %s', (isolation) => {
  it('no transaction sees what another has not committed (dirty read)', () =>
    withStore({ a: '1' }, async (db) => {
      await db.transaction(
        async (tx) => {
          await tx.put('a', '2')
          expect(await db.get('a')).toBe('1')
          await db.transaction(async (other) => expect(await other.get('a')).toBe('1'), { isolation })
        },
        { isolation },
      )
      expect(await db.get('a')).toBe('2')
    }))

  it('what was read once reads the same again (non-repeatable read)', () =>
    withStore({ a: '1' }, async (db) => {
      const between = once(() => db.put('a', '2'))
      await db.transaction(
        async (tx) => {
          const first = await tx.get('a')
          await between()
          expect(await tx.get('a')).toBe(first)
        },
        { isolation },
      )
    }))

  it('a range scanned once scans the same again (phantom read)', () =>
    withStore({ a1: '1' }, async (db) => {
      const between = once(() => db.put('a2', '2'))
      await db.transaction(
        async (tx) => {
          const first = await tx.keys({ prefix: 'a' }).toArray()
          await between()
          expect(await tx.keys({ prefix: 'a' }).toArray()).toEqual(first)
        },
        { isolation },
      )
    }))

  it('of two that increment a number, one runs again (lost update)', () =>
    withStore({ n: '0' }, async (db) => {
      const increment = (tx: {
        get(key: string): Promise<string | undefined>
        put(key: string, value: string): Promise<void>
      }) => tx.get('n').then((n) => tx.put('n', String(Number(n) + 1)))
      const between = once(() => db.transaction(increment, { isolation }))
      await db.transaction(
        async (tx) => {
          const n = await tx.get('n')
          await between()
          await tx.put('n', String(Number(n) + 1))
        },
        { isolation },
      )
      expect(await db.get('n')).toBe('2')
    }))

  it('of two that write the same key blindly, the later one is refused without retries', () =>
    withStore({}, async (db) => {
      const outcome = await attempts(() =>
        db.transaction(
          async (tx) => {
            await tx.put('a', '1')
            await db.put('a', '2')
          },
          { isolation, retries: 0 },
        ),
      )
      expect(outcome).toBe('SILT_CONFLICT')
      expect(await db.get('a')).toBe('2')
    }))

  it('a range that is cleared meets a key that was put into it', () =>
    withStore({ a1: '1' }, async (db) => {
      const outcome = await attempts(() =>
        db.transaction(
          async (tx) => {
            await tx.clear({ prefix: 'a' })
            await db.put('a2', '2')
          },
          { isolation, retries: 0 },
        ),
      )
      expect(outcome).toBe('SILT_CONFLICT')
    }))
})

describe('write skew', () => {
  // Two doctors are on call; each may leave as long as the other stays.
  async function bothLeave(db: Database, isolation: Isolation): Promise<string> {
    const leave = (who: string, between: () => Promise<void>) =>
      attempts(() =>
        db.transaction(
          async (tx) => {
            const onCall = await tx.keys({ prefix: 'on-call:' }).toArray()
            await between()
            if (onCall.length > 1) await tx.del(`on-call:${who}`)
          },
          { isolation },
        ),
      )
    await leave(
      'ada',
      once(async () => void (await leave('bob', async () => {}))),
    )
    return (await db.keys({ prefix: 'on-call:' }).toArray()).join()
  }

  it('is prevented under serializable', () =>
    withStore({ 'on-call:ada': '', 'on-call:bob': '' }, async (db) => {
      expect(await bothLeave(db, 'serializable')).toBe('on-call:ada')
    }))

  it('happens under snapshot, which looks at writes alone', () =>
    withStore({ 'on-call:ada': '', 'on-call:bob': '' }, async (db) => {
      expect(await bothLeave(db, 'snapshot')).toBe('')
    }))

  it('is prevented where the absence of a key was read', () =>
    withStore({}, async (db) => {
      const outcome = await attempts(() =>
        db.transaction(
          async (tx) => {
            if (!(await tx.has('lock'))) {
              await db.put('lock', 'theirs')
              await tx.put('work', 'mine')
            }
          },
          { retries: 0 },
        ),
      )
      expect(outcome).toBe('SILT_CONFLICT')
      expect(await db.has('work')).toBe(false)
    }))

  it('is prevented where a scan stopped early, but only in the part that it passed', () =>
    withStore({ a: '1', b: '1', c: '1' }, async (db) => {
      const readFirst = (meanwhile: string) =>
        attempts(() =>
          db.transaction(
            async (tx) => {
              const [first] = await tx.keys({ limit: 1 }).toArray()
              await db.put(meanwhile, 'new')
              await tx.put('seen', first ?? '')
            },
            { retries: 0 },
          ),
        )
      expect(await readFirst('b')).toBe('committed')
      expect(await readFirst('Z')).toBe('SILT_CONFLICT')
    }))
})
