import { expect, it } from 'vitest'
import { open } from '../../../src/index.js'

/*
 * A commit that is issued and not visible yet comes before a transaction that commits after it. Where it is the first one in a new
 * segment of the log, everything visible ends with the segment before, and the search for such commits used to begin in the
 * header of the new one, where it found none: two transactions then overwrote each other.
 */
it('notices a commit on its way that begins a segment of the log', async () => {
  const db = await open(':memory:', { executor: 'inline' })
  await db.put('n', '0')
  let meanwhile: Promise<void> | undefined
  let attempts = 0
  await db.transaction(async (tx) => {
    attempts++
    const n = Number(await tx.get('n'))
    if (attempts === 1) {
      await db.flush()
      // The last thing before the commit of this transaction, and not awaited.
      meanwhile = db.put('n', '10')
    }
    tx.putSync('n', String(n + 1))
  })
  await meanwhile
  expect(await db.get('n')).toBe('11')
  expect(attempts).toBe(2)
  await db.close()
})
