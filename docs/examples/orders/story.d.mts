export interface Story {
  readonly payments: number
  readonly parcels: number
  readonly counterDeaths: number
  readonly dispatchDeaths: number
  readonly sent: number
  readonly redelivered: number
  readonly duplicates: number
  readonly depth: number
  readonly wrong: readonly string[]
}

export function tell(payments: number, kills: number): Promise<Story>
