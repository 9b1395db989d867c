"""Why a request failed, in this program's words."""
