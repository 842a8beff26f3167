import type { VerifyReport } from '../../src/store/verify/verification.js'
import { Failure } from './failure.js'
import { out } from './terminal.js'
import { showCount } from './units.js'

/** Tells what a verification has found; findings are an exit code of 1. */
export function tellFindings({ ok, checked, findings }: VerifyReport, json: boolean): void {
  for (const { file, offset, problem } of findings) {
    if (json) out.json({ file, offset: offset ?? null, problem })
    else out.line(`${file}${offset === undefined ? '' : ` at ${offset}`}: ${problem}`)
  }
  if (json) out.json({ ok, checked, findings: findings.length })
  else if (ok) out.line(`${showCount(checked)} files read, nothing wrong`)
  if (ok) return
  const things = findings.length === 1 ? 'one thing is' : `${showCount(findings.length)} things are`
  throw new Failure(
    `${things} wrong in ${showCount(checked)} files; copy the directory away, then see 'kv-cli repair --dry-run'`,
  )
}
