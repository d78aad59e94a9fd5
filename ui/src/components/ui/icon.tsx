import type { ReactNode } from "react";

/** Drawn on a grid of 16, with a line of 1.5. */
const SHAPES = {
  dashboard: <path d="M2.5 2.5h4.5v5H2.5zM9 2.5h4.5v3H9zM9 7.5h4.5v6H9zM2.5 9.5H7v4H2.5z" />,
  workflows: <path d="M2.5 12h3c4 0 3-8 7-8h1M5.5 12h8M2.5 4h3" />,
  runs: <path d="M2.5 4h6M2.5 8h11M2.5 12h8" />,
  events: <path d="M2.5 9.5h3l1 2h3l1-2h3M4 3.5h8l1.5 6v3.5h-11V9.5zM8 1.5v4.5M6.2 4.5 8 6.2l1.8-1.7" />,
  search: <path d="M7 11.5a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9Zm3.3-1.2 3.2 3.2" />,
  more: <path d="M8 3.5v.01M8 8v.01M8 12.5v.01" strokeWidth="2.2" />,
  close: <path d="m4 4 8 8m0-8-8 8" />,
  plus: <path d="M8 3v10M3 8h10" />,
  check: <path d="m3 8.5 3.2 3L13 4.5" />,
  down: <path d="m4 6 4 4 4-4" />,
  sun: <path d="M8 10.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5ZM8 1.5v1.2M8 13.3v1.2M1.5 8h1.2M13.3 8h1.2M3.4 3.4l.9.9M11.7 11.7l.9.9M12.6 3.4l-.9.9M4.3 11.7l-.9.9" />,
  moon: <path d="M13 9.5A5.5 5.5 0 0 1 6.5 3a5.5 5.5 0 1 0 6.5 6.5Z" />,
  screen: <path d="M2.5 3.5h11v7h-11zM6 13h4" />,
  keyboard: <path d="M1.5 4.5h13v7h-13zM4 7h.01M6.5 7h.01M9 7h.01M11.5 7h.01M5 9.5h6" />,
  signOut: <path d="M6.5 2.5h-4v11h4M10 5l3 3-3 3M13 8H6" />,
  workspace: <path d="M2.5 13.5v-8L8 2.5l5.5 3v8zM6.5 13.5v-4h3v4" />,
  import: <path d="M8 2v7.5M5 7l3 3 3-3M2.5 11v2.5h11V11" />,
  export: <path d="M8 10V2.5M5 5l3-3 3 3M2.5 11v2.5h11V11" />,
  copy: <path d="M5.5 5.5h8v8h-8zM10.5 5.5v-3h-8v8h3" />,
  trash: <path d="M2.5 4h11M6 4V2.5h4V4M4 4l.6 9.5h6.8L12 4M6.7 6.8v4M9.3 6.8v4" />,
  play: <path d="M5 3.2v9.6L12.5 8z" />,
  pause: <path d="M5.5 3.5v9M10.5 3.5v9" />,
  user: <path d="M8 8a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5ZM3 13.5c.4-2.4 2.3-3.5 5-3.5s4.6 1.1 5 3.5" />,
  lock: <path d="M3.5 7.5h9v6h-9zM5.5 7.5V5a2.5 2.5 0 0 1 5 0v2.5" />,
  offline: <path d="M2 6.5a9 9 0 0 1 12 0M4.5 9a5.5 5.5 0 0 1 7 0M8 12v.01M2.5 13.5l11-11" />,
  warning: <path d="M8 2.5 14 13H2zM8 6.5v3M8 11.3v.01" />,
  settings: <path d="M2.5 4.5h6M12 4.5h1.5M2.5 11.5H4M7.5 11.5h6M10.3 6a1.5 1.5 0 1 0 0-3 1.5 1.5 0 0 0 0 3ZM5.8 13a1.5 1.5 0 1 0 0-3 1.5 1.5 0 0 0 0 3Z" />,
  operations: <path d="M1.5 8.5h3l2-5 3 9 2-4h3" />,
  audit: <path d="M4 2.5h6l2.5 2.5v8.5H4zM6.5 7h3.5M6.5 10h3.5M1.8 5v8.5" />,
  key: <path d="M6 13.5a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7ZM8.5 7.5l5-5M11.5 4.5l2 2" />,
  approvals: <path d="M2.5 2.5h11v8h-7l-3 3v-3h-1zM5.5 6.5l1.8 1.8L10.5 5" />,
  plug: <path d="M6 2v3M10 2v3M4 5h8v2.5a4 4 0 0 1-8 0zM8 11.5V14" />,
  braces: <path d="M6 2.5c-1.6 0-2 .8-2 2v1.6C4 7.2 3.4 8 2.5 8c.9 0 1.5.8 1.5 1.9v1.6c0 1.2.4 2 2 2M10 2.5c1.6 0 2 .8 2 2v1.6c0 1.1.6 1.9 1.5 1.9-.9 0-1.5.8-1.5 1.9v1.6c0 1.2-.4 2-2 2" />,
  members: <path d="M6 7.5a2.2 2.2 0 1 0 0-4.4 2.2 2.2 0 0 0 0 4.4ZM1.8 13c.3-2.3 2-3.4 4.2-3.4s3.9 1.1 4.2 3.4M10.5 3.3a2.1 2.1 0 0 1 0 4M12 9.9c1.3.5 2.1 1.5 2.3 3.1" />,
  edit: <path d="M10.5 3 13 5.5 5.5 13H3v-2.5zM9 4.5 11.5 7" />,
  link: <path d="M6.8 9.2a2.5 2.5 0 0 0 3.6 0l2-2a2.5 2.5 0 0 0-3.6-3.6l-.8.8M9.2 6.8a2.5 2.5 0 0 0-3.6 0l-2 2a2.5 2.5 0 0 0 3.6 3.6l.8-.8" />,
  refresh: <path d="M13 8a5 5 0 1 1-1.5-3.6M13 2.5v3h-3" />,
} satisfies Record<string, ReactNode>;

export type IconName = keyof typeof SHAPES;

/** A picture beside words; it says nothing by itself. */
export function Icon({ name, size = 16 }: { name: IconName; size?: number }) {
  return (
    <svg
      aria-hidden="true"
      width={size}
      height={size}
      viewBox="0 0 16 16"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.5"
      strokeLinecap="round"
      strokeLinejoin="round"
      className="shrink-0"
    >
      {SHAPES[name]}
    </svg>
  );
}

/** A switch of tracks with one hot end. */
export function Mark({ size = 24 }: { size?: number }) {
  return (
    <svg aria-hidden="true" width={size} height={size} viewBox="0 0 32 32" fill="none" className="shrink-0">
      <g stroke="currentColor" strokeWidth="3.5" strokeLinecap="round">
        <path d="M4 22h24" />
        <path d="M9 22c6 0 6-12 12-12h2" />
      </g>
      <circle cx="26" cy="10" r="3.5" className="fill-spark" />
    </svg>
  );
}
