/** Eight colours that colour-blind people can tell apart and that carry dark text (Paul Tol's light scheme), by term: terms that follow each other are unlike. */
const palette = ['#77aadd', '#ee8866', '#bbcc33', '#ffaabb', '#44bb99', '#eedd88', '#99ddff', '#aaaa00'];

/** Term 0, before the first election, is grey. */
export const termColour = (term: number): string => (term === 0 ? undefined : palette[(term - 1) % palette.length]) ?? '#a9b1bf';

/** Colours of the picture in light and in dark. Those of the terms serve both. */
export const styleSheet = `
text{font-family:Inter,"Segoe UI","Helvetica Neue",Arial,"DejaVu Sans",sans-serif;font-size:12px;fill:#3b4252}
.paper{fill:#fdfdfb}.title{font-size:20px;font-weight:700;fill:#161b26}.sub{font-size:13px;fill:#59627a}
.node{font-size:15px;font-weight:700;fill:#161b26}.small{font-size:10.5px;fill:#6b7385}.mid{text-anchor:middle}.end{text-anchor:end}
.ok{fill:#00795a}.bad{fill:#c81e3a}.pill{font-size:13px;font-weight:700;fill:#fff;text-anchor:middle}
.lane{fill:#eef0f3}.grid{stroke:#dfe2e8;stroke-width:1}.axis{stroke:#9aa2b3;stroke-width:1}
.down{fill:#b9bec9}.band{fill-opacity:.5}.onbar{font-size:11px;font-weight:700;fill:#10141c;text-anchor:middle}
.hatch{stroke:#2b3040;stroke-width:2;stroke-opacity:.55}
.cut{fill:#7a3b9c;fill-opacity:.08}.apart{fill:#7a3b9c;fill-opacity:.16}.edge{stroke:#7a3b9c;stroke-width:1;stroke-dasharray:3 3;stroke-opacity:.7}
.strip{fill:#7a3b9c;fill-opacity:.75}.cutname{font-size:10.5px;font-weight:700;fill:#fff;text-anchor:middle}
.traffic{fill:#7d869a;fill-opacity:.6}.message{stroke:#5a6478;stroke-width:.7;stroke-opacity:.45;fill:none}
.crash{stroke:#c81e3a;stroke-width:2.4;fill:none;stroke-linecap:round}.start{fill:#00795a}
.ink{stroke:#3b4252;stroke-width:1.4;fill:#fdfdfb}.snap{fill:#3b4252}
.commit{fill:none;stroke:#161b26;stroke-width:2;stroke-linejoin:round}.applied{fill:none;stroke-width:1.1;stroke:#7d869a;stroke-opacity:.7}.area{fill:#7d869a;fill-opacity:.12}
.calm{stroke:#00795a;stroke-width:1.2;stroke-dasharray:6 4}.broken{stroke:#c81e3a;stroke-width:2.6}.flag{fill:#c81e3a}.flagtext{font-size:12.5px;font-weight:700;fill:#fff}.ring{fill:none;stroke:#c81e3a;stroke-width:2.6}
@media (prefers-color-scheme:dark){
text{fill:#c3c9d6}.paper{fill:#12151c}.title,.node{fill:#f2f4f8}.sub{fill:#9aa3b8}.small{fill:#8d96aa}.lane{fill:#1d222d}.grid{stroke:#262c39}.axis{stroke:#5a6478}
.ok{fill:#1fa67f}.bad,.flag{fill:#e5405c}.pill,.cutname,.flagtext{fill:#fff}.onbar{fill:#10141c}.down{fill:#4a5162}.band{fill-opacity:.42}.hatch{stroke:#f2f4f8}
.cut{fill:#c68be6;fill-opacity:.09}.apart{fill:#c68be6;fill-opacity:.15}.edge{stroke:#c68be6}.strip{fill:#9a5cbc}.traffic{fill:#8d96aa}.message{stroke:#aab3c6}
.crash,.broken,.ring{stroke:#ff5d78}.start{fill:#35c79b}.ink{stroke:#c3c9d6;fill:#12151c}.snap{fill:#c3c9d6}.commit{stroke:#f2f4f8}.calm{stroke:#35c79b}
}`;
