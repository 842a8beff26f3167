/*
 * One style for every picture of the docs and of kv-cli: colours for a light and a dark ground, chosen by the reader's setting, and told
 * apart by people who see few colours.
 */

/** Where text stands relative to its place. */
export type Anchor = 'start' | 'middle' | 'end'

const LIGHT = ['#d55e00', '#0072b2', '#009e73', '#a3508a', '#6e7781', '#b08500', '#3aa0d8']
const DARK = ['#ff8a3d', '#4aa8e8', '#2fc596', '#e08cc4', '#9aa4af', '#e3b341', '#8cd0f5']

/** How many colours there are; a series beyond them begins again with the first. */
export const COLOUR_COUNT = LIGHT.length

const STYLE = [
  'text{font:12px system-ui,-apple-system,"Segoe UI",sans-serif;fill:#1f2328}',
  'text.title{font-size:15px;font-weight:600}text.group{font-weight:600}text.note{fill:#59636e}',
  'text.mono{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}',
  '.ground{fill:#fff}.grid{stroke:#d8dee4}.ink{stroke:#1f2328}.none{fill:none}',
  LIGHT.map((colour, i) => `.f${i}{fill:${colour}}.s${i}{stroke:${colour}}`).join(''),
  '@media (prefers-color-scheme:dark){',
  'text{fill:#e6edf3}text.note{fill:#9198a1}.ground{fill:#0d1117}.grid{stroke:#30363d}.ink{stroke:#e6edf3}',
  DARK.map((colour, i) => `.f${i}{fill:${colour}}.s${i}{stroke:${colour}}`).join(''),
  '}',
].join('')

/** A picture in the making: shapes are added from back to front, `render` gives the file. */
export class Sheet {
  private readonly parts: string[] = []

  /** A title and, below it, a note on what is shown. */
  constructor(
    private readonly title: string,
    private readonly width: number,
    note = '',
  ) {
    this.text(16, 26, title, { kind: 'title' })
    if (note !== '') this.text(16, 46, note, { kind: 'note' })
  }

  text(x: number, y: number, content: string, options: { anchor?: Anchor; kind?: string } = {}): void {
    const { anchor = 'start', kind } = options
    const looks = `${anchor === 'start' ? '' : ` text-anchor="${anchor}"`}${kind === undefined ? '' : ` class="${kind}"`}`
    this.parts.push(`<text x="${short(x)}" y="${short(y)}"${looks}>${escaped(content)}</text>`)
  }

  /** A stroke in the colour of the grid, or of ink. */
  line(x1: number, y1: number, x2: number, y2: number, kind: 'grid' | 'ink' = 'grid', width = 1): void {
    const place = `x1="${short(x1)}" y1="${short(y1)}" x2="${short(x2)}" y2="${short(y2)}"`
    this.parts.push(`<line ${place} class="${kind}"${width === 1 ? '' : ` stroke-width="${width}"`}/>`)
  }

  /** A filled box. `facts`, where given, show under the pointer; `style` stands over the colour. */
  box(
    place: { x: number; y: number; width: number; height: number },
    colour: number,
    options: { facts?: string; style?: string } = {},
  ): void {
    const { facts, style } = options
    const size = `x="${short(place.x)}" y="${short(place.y)}" width="${short(place.width)}" height="${short(place.height)}"`
    const looks = `class="f${colour % COLOUR_COUNT}"${style === undefined ? '' : ` style="${style}"`}`
    this.parts.push(
      facts === undefined
        ? `<rect ${size} ${looks}/>`
        : `<rect ${size} ${looks}><title>${escaped(facts)}</title></rect>`,
    )
  }

  /** A line through points. */
  path(points: readonly (readonly [number, number])[], colour: number, width = 2): void {
    const places = points.map(([x, y]) => `${short(x)},${short(y)}`).join(' ')
    const looks = `class="none s${colour % COLOUR_COUNT}" stroke-width="${width}"`
    this.parts.push(`<polyline points="${places}" ${looks}/>`)
  }

  /** A dotted stroke from a shape to its name. */
  leader(x1: number, y1: number, x2: number, y2: number): void {
    const place = `x1="${short(x1)}" y1="${short(y1)}" x2="${short(x2)}" y2="${short(y2)}"`
    this.parts.push(`<line ${place} class="ink" stroke-width="0.8" stroke-dasharray="1 5"/>`)
  }

  /** A dot; `open` ones are rings on the ground. */
  dot(x: number, y: number, colour: number, options: { radius?: number; open?: boolean } = {}): void {
    const { radius = 3.5, open = false } = options
    const looks = open
      ? `class="ground s${colour % COLOUR_COUNT}" stroke-width="2"`
      : `class="f${colour % COLOUR_COUNT}"`
    this.parts.push(`<circle cx="${short(x)}" cy="${short(y)}" r="${radius}" ${looks}/>`)
  }

  /** The file. */
  render(height: number): string {
    const size = `width="${this.width}" height="${short(height)}" viewBox="0 0 ${this.width} ${short(height)}"`
    return [
      `<svg xmlns="http://www.w3.org/2000/svg" ${size} role="img">`,
      `<title>${escaped(this.title)}</title>`,
      `<style>${STYLE}</style>`,
      '<rect width="100%" height="100%" class="ground"/>',
      ...this.parts,
      '</svg>\n',
    ].join('\n')
  }
}

function short(value: number): string {
  return String(Math.round(value * 10) / 10)
}

function escaped(content: string): string {
  return content.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`)
}
