import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { LevelError } from './level-error.js'

/*
 * LevelDB names its files as Siltstone does: CURRENT, MANIFEST-000002, 000003.log. What is in them differs, and LevelDB keeps a
 * diary, LOG, that Siltstone has not.
 */

const DIARY = 'LOG'
const OWN_MAGIC = 'SILT'

/** Whether a directory holds a database of LevelDB. */
function holdsLevelDb(location: string): boolean {
  if (!existsSync(join(location, DIARY))) return false
  try {
    const manifest = readFileSync(join(location, 'CURRENT'), 'latin1').trim()
    return !readFileSync(join(location, manifest), 'latin1').startsWith(OWN_MAGIC)
  } catch {
    return false
  }
}

/** What to say instead of an error about such a directory, or of doing anything to it. */
export function levelDbError(location: string, cause?: unknown): LevelError | undefined {
  if (!holdsLevelDb(location)) return undefined
  const advice = 'choose another location and bring its entries over with importLevel'
  return new LevelError('LEVEL_NOT_SUPPORTED', `${location} holds a database of LevelDB; ${advice}`, cause)
}
