import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'

/** Hands out directories on disk that are not there yet; they go with the test file. */
export function temporaryDirectories(): () => string {
  const base = mkdtempSync(join(tmpdir(), 'siltstone-store-'))
  let count = 0
  afterAll(() => rmSync(base, { recursive: true, force: true }))
  return () => join(base, String(++count))
}

/** Everything that could tell whether somebody has written below a directory: names, contents and times. */
export function fingerprint(directory: string): Map<string, string> {
  const files = new Map<string, string>()
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    const { mtimeMs, ino, size } = statSync(path)
    const content = entry.isFile() ? readFileSync(path).toString('base64') : ''
    files.set(path, `${ino} ${size} ${mtimeMs} ${content}`)
  }
  files.set(directory, String(statSync(directory).mtimeMs))
  return files
}
