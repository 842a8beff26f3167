import { usage } from './failure.js'

const DURATIONS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }
const SIZES: Record<string, number> = {
  '': 1,
  b: 1,
  k: 1024,
  kib: 1024,
  m: 1 << 20,
  mib: 1 << 20,
  g: 1 << 30,
  gib: 1 << 30,
}

/** '250ms', '30s', '5m', '2h', '1d' in milliseconds. Without a unit nobody knows what was meant. */
export function parseDuration(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text)
  const ms = match === null ? 0 : Math.round(Number(match[1]) * DURATIONS[match[2]!]!)
  if (ms > 0) return ms
  throw usage(`'${text}' is no length of time; write it with its unit, such as 250ms, 30s, 5m, 2h or 1d`)
}

export function parseCount(text: string): number {
  if (/^\d+$/.test(text) && Number.isSafeInteger(Number(text))) return Number(text)
  throw usage(`'${text}' is no count; write a whole number such as 10`)
}

export function parseSize(text: string): number {
  const match = /^(\d+)\s*([a-z]*)$/i.exec(text)
  const unit = match === null ? undefined : SIZES[match[2]!.toLowerCase()]
  if (match !== null && unit !== undefined) return Number(match[1]) * unit
  throw usage(`'${text}' is no size; write bytes, or such as 64k, 32m, 1g`)
}

export function showCount(value: number): string {
  return Math.round(value).toLocaleString('en')
}

export function plural(count: number, noun: string): string {
  return `${showCount(count)} ${noun}${count === 1 ? '' : 's'}`
}

export function showBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`
  if (bytes < 1 << 20) return `${(bytes / 1024).toFixed(1)} KiB`
  if (bytes < 1 << 30) return `${(bytes / (1 << 20)).toFixed(1)} MiB`
  return `${(bytes / (1 << 30)).toFixed(2)} GiB`
}

export function showDuration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`
  if (ms < 3_600_000) return `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1000)} s`
  return `${Math.floor(ms / 3_600_000)} h ${Math.round((ms % 3_600_000) / 60_000)} min`
}
