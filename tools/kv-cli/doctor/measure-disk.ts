import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'

const PART_BYTES = 1 << 20
const PARTS = 16
const SYNCS = 31

export type DiskMeasure = { readonly bytesPerSecond: number; readonly syncMs: number } | { readonly problem: string }

/** Writes some MiB in a folder of its own, and syncs a small write again and again; leaves nothing behind. */
export function measureDisk(directory: string): DiskMeasure {
  let folder: string | undefined
  try {
    folder = mkdtempSync(join(directory, '.kv-cli-doctor-'))
    const file = openSync(join(folder, 'probe'), 'w')
    try {
      return { bytesPerSecond: throughput(file), syncMs: middleSync(file) }
    } finally {
      closeSync(file)
    }
  } catch (error) {
    return { problem: (error as Error).message }
  } finally {
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true })
  }
}

function throughput(file: number): number {
  const part = Buffer.alloc(PART_BYTES, 'silt')
  const startedAt = performance.now()
  for (let i = 0; i < PARTS; i++) writeSync(file, part)
  fdatasyncSync(file)
  return (PARTS * PART_BYTES * 1000) / (performance.now() - startedAt)
}

function middleSync(file: number): number {
  const times = Array.from({ length: SYNCS }, () => {
    writeSync(file, 'x')
    const startedAt = performance.now()
    fdatasyncSync(file)
    return performance.now() - startedAt
  })
  return times.sort((a, b) => a - b)[SYNCS >> 1]!
}
