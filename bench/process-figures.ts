import { readFileSync } from 'node:fs'

/** Bytes that a process and its threads have handed to the system to write; `undefined` where the system does not count. */
export function writtenBytes(pid: number | 'self' = 'self'): number | undefined {
  return numberIn(`/proc/${pid}/io`, /^wchar: (\d+)/m)
}

/** The most memory that a process ever held (RSS). */
export function peakMemoryBytes(pid: number | 'self' = 'self'): number | undefined {
  const kibibytes = numberIn(`/proc/${pid}/status`, /^VmHWM:\s+(\d+) kB/m)
  if (kibibytes !== undefined) return kibibytes * 1024
  return pid === 'self' ? process.resourceUsage().maxRSS * 1024 : undefined
}

function numberIn(path: string, pattern: RegExp): number | undefined {
  try {
    const found = pattern.exec(readFileSync(path, 'utf8'))
    return found === null ? undefined : Number(found[1])
  } catch {
    return undefined
  }
}
