"""From a budget of false alarms to a cut: the background's events, their tail, what it promises."""
