import type { Database, Isolation } from '../../../src/index.js'

export const ACCOUNTS = 10
export const TOTAL = 1000

export const accountKey = (i: number): string => `account:${i}`

/** Gives every account its share; once is enough. */
export async function foundBank(db: Database): Promise<void> {
  await db.transaction(async (tx) => {
    if (await tx.has(accountKey(0))) return
    for (let i = 0; i < ACCOUNTS; i++) await tx.put(accountKey(i), String(TOTAL / ACCOUNTS))
  })
}

/** Moves money, if it is there, and leaves a receipt. */
export async function transfer(
  db: Database,
  {
    from,
    to,
    amount,
    receipt,
    isolation,
    sync,
  }: {
    from: number
    to: number
    amount: number
    receipt: string
    isolation: Isolation
    sync: boolean
  },
): Promise<void> {
  await db.transaction(
    async (tx) => {
      const [source, target] = (await tx.getMany([accountKey(from), accountKey(to)])).map(Number) as [number, number]
      const moved = Math.min(amount, source)
      // Another turn, for others to come in between.
      await new Promise((resolve) => setImmediate(resolve))
      if (from !== to) {
        await tx.put(accountKey(from), String(source - moved))
        await tx.put(accountKey(to), String(target + moved))
      }
      await tx.put(`receipt:${receipt}`, String(moved))
    },
    { isolation, sync, retries: 10_000 },
  )
}

/** Everything there is, as one moment sees it. */
export async function sumOf(reader: Pick<Database, 'values'>): Promise<number> {
  const balances = await reader.values({ prefix: 'account:' }).toArray()
  return balances.reduce((sum, balance) => sum + Number(balance), 0)
}
