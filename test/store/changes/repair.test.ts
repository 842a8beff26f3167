import { describe, expect, it } from 'vitest'
import { MemoryFileSystem, open, repair } from '../../../src/index.js'
import { commitsOf, contentOf } from './replica.js'

describe('a store that keeps its log', () => {
  const options = { executor: 'inline', writeBufferBytes: 64 * 1024 } as const
  const logRetention = { bytes: Number.POSITIVE_INFINITY }

  async function storeWithAPast(): Promise<MemoryFileSystem> {
    const fs = new MemoryFileSystem()
    await using db = await open('/store', { ...options, fs, logRetention })
    for (let round = 0; round < 4; round++) {
      for (let i = 0; i < 30; i++) await db.put(`key ${i}`, `${round} ${'x'.repeat(i * 10)}`)
      await db.clear({ gte: 'key 1', lt: `key 1${round}` })
      await db.del(`key 2${round}`)
      await db.flush()
      await db.compact()
    }
    await db.put('last', '')
    return fs
  }

  it('is repaired to what it was when its manifest is lost, old commits or not', async () => {
    const fs = await storeWithAPast()
    const before = await open('/store', { ...options, fs, logRetention })
    const content = contentOf(before)
    expect(await commitsOf(before)).toHaveLength(4 * 32 + 1)
    await before.close()
    for (const name of fs.listSync('/store')) {
      if (/^(CURRENT|MANIFEST)/.test(name)) fs.removeSync(`/store/${name}`)
    }
    await repair('/store', { fs })
    await using db = await open('/store', { ...options, fs, logRetention })
    expect(contentOf(db)).toEqual(content)
    expect((await db.verify()).findings).toEqual([])
  })

  it('shows of a broken past what hangs together, and says that the rest is gone', async () => {
    const fs = await storeWithAPast()
    const [, second] = fs
      .listSync('/store')
      .filter((name) => name.endsWith('.log'))
      .sort()
    fs.removeSync(`/store/${second}`)
    await using db = await open('/store', { ...options, fs, logRetention })
    await expect(commitsOf(db, 0)).rejects.toMatchObject({ code: 'SILT_GONE' })
    expect(await commitsOf(db, 'oldest')).toHaveLength(2 * 32 + 1)
    expect(fs.listSync('/store').filter((name) => name.endsWith('.log'))).toHaveLength(3)
    expect((await db.verify()).findings).toEqual([])
  })
})
