import { loadHash } from '../../../src/bytes/hash.js'
import { getU32 } from '../../../src/bytes/integers.js'
import type { FileNumber } from '../../../src/bytes/units.js'
import { readWholeFile } from '../../../src/fs/whole-file.js'
import { frameBehindDamage, frameOf, readLogHeader } from '../../../src/log/log-header.js'
import { scanLog } from '../../../src/log/log-scan.js'
import { RECORD_HEADER_BYTES } from '../../../src/log/record.js'
import { Failure } from '../failure.js'
import { unlockedDisk } from '../unlocked-disk.js'
import type { DumpedRecord } from './dumped-record.js'

/** Every edit of a manifest as it stands in the file, which is JSON already; keys in it are base64url. */
export async function* dumpManifest(path: string, number: FileNumber): AsyncGenerator<DumpedRecord> {
  await loadHash()
  const bytes = readWholeFile(unlockedDisk, path)
  if (bytes === undefined) throw new Failure(`There is no file ${path}; check the path`)
  const header = readLogHeader(bytes, bytes.length, 'SILTMAN\n', path)
  if (header !== undefined) yield { record: 'header', ...header, magic: header.magic.trim() }
  const frame = header === undefined ? frameBehindDamage(bytes, number, 'SILTMAN\n') : frameOf(header)
  if (frame === undefined) return
  const { records, damage } = scanLog(bytes, bytes.length, frame, 0)
  for (const offset of records) {
    const payload = bytes.subarray(offset + RECORD_HEADER_BYTES, offset + getU32(bytes, offset + 4))
    const { edit, ...change } = JSON.parse(new TextDecoder().decode(payload)) as Record<string, unknown>
    yield { record: 'edit', offset, edit, ...change }
  }
  if (damage !== undefined) yield { record: 'damage', ...damage }
}
