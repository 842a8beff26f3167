import { expect, it } from 'vitest'
import { MemoryFileSystem } from '../../src/fs/memory-file-system.js'
import { open } from '../../src/index.js'

/*
 * Before the first flush the manifest names no segment that recovery begins with. With all of the log gone the store opened empty
 * and said nothing.
 */
it('a store that was closed and whose log is gone is refused, not taken for an empty one', async () => {
  const fs = new MemoryFileSystem()
  const options = { fs, executor: 'inline' as const }
  const db = await open('/store', options)
  await db.put('a', '1')
  await db.close()
  for (const name of fs.listSync('/store')) if (name.endsWith('.log')) fs.removeSync(`/store/${name}`)
  await expect(open('/store', options)).rejects.toMatchObject({
    code: 'SILT_CORRUPTION',
    file: expect.stringMatching(/\.log$/),
  })
})
