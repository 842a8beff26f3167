/** One thing that stands in a file: what it is, and its fields as JSON has them. */
export interface DumpedRecord {
  readonly record: string
  readonly [field: string]: unknown
}

/** As a line for people: the kind, then the fields that say something. */
export function recordLine({ record, ...fields }: DumpedRecord): string {
  const shown = Object.entries(fields)
    .filter(([, value]) => value !== undefined && value !== null)
    .map(([name, value]) => `${name}=${typeof value === 'string' ? quoted(value) : JSON.stringify(value)}`)
  return `${record.padEnd(10)} ${shown.join(' ')}`
}

const LONGEST = 200

function quoted(text: string): string {
  const shown = text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text
  return /^[\w:./@+-]+$/.test(shown) ? shown : JSON.stringify(shown)
}
