import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { diskFileSystem } from '../../src/fs/disk-file-system.js'
import { temporaryDirectories } from '../store/temporary.js'

const directory = temporaryDirectories()

describe('watching a directory on disk', () => {
  it('tells of a file that is written, and nothing any more once it is stopped', async () => {
    const path = directory()
    diskFileSystem.makeDirectorySync(path)
    let count = 0
    let stop = (): void => {}
    const changed = new Promise<void>((resolve) => {
      stop = diskFileSystem.watch!(path, () => {
        count++
        resolve()
      })
    })
    writeFileSync(join(path, '000001.log'), 'x')
    await changed
    stop()
    const before = count
    writeFileSync(join(path, '000002.log'), 'x')
    await new Promise(setImmediate)
    expect(count).toBe(before)
  })

  it('is no reason to fail where it cannot be done', () => {
    expect(() => diskFileSystem.watch!(join(directory(), 'nowhere'), () => {})()).not.toThrow()
  })
})
