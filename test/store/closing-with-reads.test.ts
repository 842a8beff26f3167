import { expect, it } from 'vitest'
import { open } from '../../src/index.js'
import { slowFiles } from '../faces/level/slow-files.js'

/*
 * A read that waits for a slow disk was asked for before the store was closed, so closing waits for it. It used to be refused with
 * SILT_NOT_OPEN.
 */
it('closing waits for reads that are on their way', async () => {
  const db = await open('/store', { fs: slowFiles(), executor: 'inline', cacheBytes: 0 })
  for (let i = 0; i < 200; i++) db.putSync(`k${i}`, `v${i}`)
  await db.flush()
  // The first reads find out that the disk is slow.
  for (let i = 0; i < 20; i++) await db.get(`k${i}`)
  const one = db.get('k150')
  const many = db.getMany(['k151', 'k152', 'none'])
  await db.close()
  expect(await one).toBe('v150')
  expect(await many).toEqual(['v151', 'v152', undefined])
  await expect(db.get('k1')).rejects.toMatchObject({ code: 'SILT_NOT_OPEN' })
})
