import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { type Isolation, open } from '../../../src/index.js'
import { reproduce } from '../../simulation/reproduce.js'
import { SeededRandom } from '../../simulation/seeded-random.js'
import { temporaryDirectories } from '../temporary.js'
import { ACCOUNTS, foundBank, sumOf, TOTAL, transfer } from './bank.js'

/** `npm run test:bank -- --rounds N`: so many lives, each ended by a kill. */
const ROUNDS = process.env['SILTSTONE_KILL_ROUNDS']
const LIVES = Number(ROUNDS ?? 4)
const SEED = Number(process.env['SILTSTONE_SEED'] ?? 1)
const PROGRAM = fileURLToPath(new URL('./bank-process.mjs', import.meta.url))

const directory = temporaryDirectories()
const both: Isolation[] = ['serializable', 'snapshot']

describe.each(both)('a bank under %s', (isolation) => {
  it('never has more or less than all its money, whoever looks while 64 transfer at once', async () => {
    const random = new SeededRandom(SEED)
    const db = await open(':memory:', { executor: 'inline', writeBufferBytes: 64 * 1024 })
    await foundBank(db)
    let transfers = 0
    const teller = async (): Promise<void> => {
      for (let i = 0; i < 8; i++) {
        await transfer(db, {
          from: random.below(ACCOUNTS),
          to: random.below(ACCOUNTS),
          amount: random.below(80),
          receipt: String(++transfers),
          isolation,
          sync: random.chance(0.1),
        })
        if (random.chance(0.05)) await db.flush()
      }
    }
    let isOpen = true
    const auditor = async (): Promise<void> => {
      while (isOpen) {
        expect(await sumOf(db), reproduce(SEED)).toBe(TOTAL)
        expect(await db.transaction((tx) => sumOf(tx), { isolation }), reproduce(SEED)).toBe(TOTAL)
        using snapshot = db.snapshot()
        await new Promise((resolve) => setImmediate(resolve))
        expect(await sumOf(snapshot), reproduce(SEED)).toBe(TOTAL)
      }
    }
    const auditing = auditor()
    await Promise.all(Array.from({ length: 64 }, teller))
    isOpen = false
    await auditing
    expect(await db.count({ prefix: 'receipt:' })).toBe(transfers)
    expect(await sumOf(db)).toBe(TOTAL)
    await db.close()
  })

  it('loses neither money nor an acknowledged transfer when it is killed', { timeout: LIVES * 30_000 }, async () => {
    const path = directory()
    const founded = await open(path)
    await foundBank(founded)
    await founded.close()
    const acknowledged: string[] = []
    let busyMs = 0
    for (let life = 1; life <= LIVES; life++) {
      const child = spawn(process.execPath, [PROGRAM, path, isolation, String(life)], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      const ended = once(child, 'exit')
      let firstAt = 0
      const enough = acknowledged.length + 50 + ((life * 37) % 200)
      for await (const receipt of createInterface({ input: child.stdout })) {
        acknowledged.push(receipt)
        firstAt ||= performance.now()
        if (acknowledged.length === enough) child.kill('SIGKILL')
      }
      expect((await ended)[1]).toBe('SIGKILL')
      busyMs += performance.now() - firstAt
      const db = await open(path, { recovery: 'strict' })
      expect(await sumOf(db)).toBe(TOTAL)
      const kept = await db.hasMany(acknowledged.map((receipt) => `receipt:${receipt}`))
      expect(acknowledged.filter((_, i) => !kept[i])).toEqual([])
      await db.close()
    }
    if (ROUNDS !== undefined) {
      const perSecond = Math.round((acknowledged.length / busyMs) * 1000)
      console.log(`${isolation}: ${LIVES} lives, ${acknowledged.length} transfers acknowledged, ${perSecond} a second`)
    }
  })
})
