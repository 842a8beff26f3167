import type { Unit } from './sample.js'

const KIB = 1024

/** A number as the tables show it: three digits and its unit. */
export function figure(value: number, unit: Unit): string {
  if (!Number.isFinite(value)) return '-'
  if (unit === 'bytes') return bytesFigure(value)
  if (unit === 'ms') return value < 1 ? `${threeDigits(value * 1000)} us` : timeFigure(value)
  if (unit === 'times') return `${threeDigits(value)} x`
  if (value >= 1e6) return `${threeDigits(value / 1e6)} M`
  return value >= 1e4 ? `${threeDigits(value / 1000)} k` : threeDigits(value)
}

/** How often the one goes into the other. */
export function ratioFigure(ratio: number): string {
  if (!Number.isFinite(ratio)) return '-'
  if (ratio < 0.1) return ratio.toPrecision(2)
  return ratio < 10 ? ratio.toFixed(2) : ratio.toFixed(ratio < 100 ? 1 : 0)
}

function timeFigure(milliseconds: number): string {
  return milliseconds < 1000 ? `${threeDigits(milliseconds)} ms` : `${threeDigits(milliseconds / 1000)} s`
}

function bytesFigure(bytes: number): string {
  if (bytes < KIB * KIB) return `${threeDigits(bytes / KIB)} KiB`
  if (bytes < KIB * KIB * KIB) return `${threeDigits(bytes / KIB / KIB)} MiB`
  return `${threeDigits(bytes / KIB / KIB / KIB)} GiB`
}

function threeDigits(value: number): string {
  if (value >= 100) return String(Math.round(value))
  return value.toFixed(value >= 10 ? 1 : 2)
}
