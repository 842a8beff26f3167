import { describe, expect, it } from 'vitest'
import { open, type Scan } from '../../src/index.js'

async function keysFrom(scan: Scan<string, string>, target: string): Promise<string> {
  scan.seek(target)
  return (await scan.toArray()).join('')
}

describe('seek', () => {
  it('goes to the first key at or after the target in the direction of the scan', async () => {
    await using db = await open(':memory:')
    for (const key of 'bdf') await db.put(key, '')
    expect(await keysFrom(db.keys(), 'd')).toBe('df')
    expect(await keysFrom(db.keys(), 'c')).toBe('df')
    expect(await keysFrom(db.keys({ reverse: true }), 'd')).toBe('db')
    expect(await keysFrom(db.keys({ reverse: true }), 'e')).toBe('db')
  })

  // A scan from 'd' on that was asked for 'a' used to begin at 'd', as if the bound had been asked for.
  it('goes to the end when the target is out of bounds, on whichever side', async () => {
    await using db = await open(':memory:')
    for (const key of 'bdf') await db.put(key, '')
    for (const reverse of [false, true]) {
      expect(await keysFrom(db.keys({ gte: 'd', reverse }), 'a')).toBe('')
      expect(await keysFrom(db.keys({ gt: 'd', reverse }), 'd')).toBe('')
      expect(await keysFrom(db.keys({ lt: 'd', reverse }), 'd')).toBe('')
      expect(await keysFrom(db.keys({ lte: 'd', reverse }), 'e')).toBe('')
      expect(await keysFrom(db.keys({ prefix: 'd', reverse }), 'f')).toBe('')
    }
  })

  it('brings a scan back that was at its end', async () => {
    await using db = await open(':memory:')
    for (const key of 'bdf') await db.put(key, '')
    const scan = db.keys({ gte: 'd' })
    expect(await scan.nextMany(9)).toEqual(['d', 'f'])
    scan.seek('a')
    expect(await scan.nextMany(9)).toEqual([])
    scan.seek('e')
    expect(scan.nextManySync(9)).toEqual(['f'])
    scan.close()
  })
})
