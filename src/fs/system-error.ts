import { constants } from 'node:os'
import { getSystemErrorMap } from 'node:util'

/** An error as Node reports it from the operating system. */
export interface SystemError extends Error {
  readonly code: string
  readonly errno: number
  readonly syscall: string
  readonly path: string
  readonly dest?: string
}

/** What the operating system would have said: for file systems that have none behind them. */
export function systemError(code: string, syscall: string, path: string, dest?: string): SystemError {
  const errno = -((constants.errno as Record<string, number>)[code] ?? 0)
  const sentence = getSystemErrorMap().get(errno)?.[1] ?? 'unknown error'
  const target = dest === undefined ? '' : ` -> '${dest}'`
  const error = new Error(`${code}: ${sentence}, ${syscall} '${path}'${target}`)
  return Object.assign(error, { code, errno, syscall, path, ...(dest === undefined ? {} : { dest }) })
}

/** The `code` of an error, where it has one. */
export function errorCode(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null | undefined)?.code
  return typeof code === 'string' ? code : undefined
}
