import type { Database } from '../../../src/index.js'
import type { SeededRandom } from '../../simulation/seeded-random.js'

const KEYSPACES = ['', 'orders', 'users']

/** One write of any kind, in any keyspace; now and then a flush or a compaction. */
export async function writeSomething(
  db: Database,
  random: SeededRandom,
  options: { sync?: true } = {},
): Promise<unknown> {
  const name = random.pick(KEYSPACES)
  const keyspace = name === '' ? db : db.keyspace(name)
  const key = (): string => `key ${random.below(60)}`
  const value = (): string => 'v'.repeat(random.chance(0.02) ? random.below(100_000) : random.below(200))
  switch (random.below(9)) {
    case 0:
      return keyspace.del(key(), options)
    case 1:
      return keyspace.clear({
        ...random.pick([{ gte: key(), lt: key() }, { prefix: `key ${random.below(6)}` }, { lte: key() }]),
        ...options,
      })
    case 2:
      return keyspace.put(key(), value(), { ttl: random.between(1, 2000), ...options })
    case 3:
      return db.batch(
        Array.from({ length: random.between(1, 20) }, () =>
          random.chance(0.7)
            ? {
                type: 'put' as const,
                key: key(),
                value: value(),
                keyspace: db.keyspace(random.pick(['orders', 'users'])),
              }
            : random.pick([
                { type: 'del' as const, key: key() },
                { type: 'clear' as const, gte: key(), lt: key() },
              ]),
        ),
        options,
      )
    case 4:
      return db.transaction(
        async (tx) => {
          const [entry] = tx.entries({ gte: key(), limit: 1 })
          await tx.put(key(), entry?.[0] ?? 'none')
          await tx.del(key())
          // Another writer beside this one may be in the way for as long as it writes.
        },
        { retries: 1000, ...options },
      )
    case 5:
      return random.chance(0.2) ? db.flush() : random.chance(0.1) ? db.compact() : undefined
    default:
      return keyspace.put(key(), value(), { sync: random.chance(0.1), ...options })
  }
}
