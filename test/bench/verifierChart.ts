/** Bars of the verifier's figures, as an SVG that is legible on light and dark pages. */

export interface Bar {
  readonly label: string;
  /** Share of the bare server's requests per CPU second. */
  readonly ratio: number;
  readonly note: string;
}

const width = 760;
const rowHeight = 46;
const left = 250;
const scale = 360;

export function chart(title: string, bars: readonly Bar[]): string {
  const height = 60 + bars.length * rowHeight;
  const rows = bars.map(({ label, ratio, note }, row) => {
    const y = 50 + row * rowHeight;
    const length = Math.max(1, Math.round(Math.min(ratio, 1.2) * scale * 0.8));
    return `  <text x="${left - 12}" y="${y + 17}" text-anchor="end">${markup(label)}</text>
  <rect x="${left}" y="${y}" width="${length}" height="24" rx="3" fill="${row === 0 ? "#8b949e" : "#2f81f7"}"/>
  <text x="${left + length + 8}" y="${y + 17}">${ratio.toFixed(2)} ${markup(note)}</text>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-label="${markup(title)}">
  <style>text { font: 14px system-ui, sans-serif; fill: #57606a } @media (prefers-color-scheme: dark) { text { fill: #c9d1d9 } }</style>
  <text x="16" y="28" font-weight="600">${markup(title)}</text>
${rows.join("\n")}
</svg>
`;
}

function markup(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}
